#!/usr/bin/env bash
# Start or stop a Ceph cluster of one node with its RADOS gateway, on this machine alone: `ceph.sh start|stop FOLDER`.
# Debian: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common
# The gateway listens on 127.0.0.1:$RGW_PORT (7480). Its user has the keys CEPHACCESSKEY000001 / cephSecretKey0000000000001.
# It stops by itself when the process $OWNER ends, if that is set.
set -euo pipefail
command=$1
folder=$2
port=${RGW_PORT:-7480}
conf="$folder/ceph.conf"

stop() {
  cat "$folder"/run/*.pid 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true  # nothing is kept
  for _ in $(seq 100); do
    cat "$folder"/run/*.pid 2>/dev/null | xargs -r kill -0 2>/dev/null || break
    sleep 0.1
  done
}

configure() {
  mkdir -p "$folder"/{mon,osd/0,rgw,run,log}
  cat > "$conf" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon_host = [v2:127.0.0.1:$((port + 1))/0,v1:127.0.0.1:$((port + 2))/0]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
keyring = $folder/admin.keyring
auth_allow_insecure_global_id_reclaim = true
run_dir = $folder/run
admin_socket = $folder/run/\$name.asok
pid_file = $folder/run/\$name.pid
log_file = $folder/log/\$name.log
crash_dir = $folder/log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_osd_full_ratio = .99
mon_osd_nearfull_ratio = .98
mon_data_avail_warn = 2
mon_data_avail_crit = 1
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
osd_memory_target = 1073741824
[mon.a]
host = $(hostname)
mon_data = $folder/mon/a
keyring = $folder/mon.keyring
[osd.0]
osd_data = $folder/osd/0
keyring = $folder/osd/0/keyring
osd_objectstore = memstore
memstore_device_bytes = 4294967296
[client.rgw.main]
keyring = $folder/rgw/keyring
rgw_data = $folder/rgw
rgw_frontends = beast endpoint=127.0.0.1:$port
rgw_enable_usage_log = false
rgw_enable_ops_log = false
CONF
}

watch() {
  (
    while kill -0 "$1" && [[ -e "$folder/run" ]]; do sleep 2; done
    stop
  ) < /dev/null &> /dev/null &
}

start() {
  rm -rf "$folder"
  configure
  fsid=$(sed -n 's/^fsid = //p' "$conf")
  ceph-authtool --create-keyring "$folder/mon.keyring" --gen-key -n mon. --cap mon 'allow *' > /dev/null
  ceph-authtool --create-keyring "$folder/admin.keyring" --gen-key -n client.admin \
    --cap mon 'allow *' --cap osd 'allow *' > /dev/null
  ceph-authtool "$folder/mon.keyring" --import-keyring "$folder/admin.keyring" > /dev/null
  monmaptool --create --addv a "[v2:127.0.0.1:$((port + 1)),v1:127.0.0.1:$((port + 2))]" --fsid "$fsid" --clobber \
    "$folder/monmap" > /dev/null
  ceph-mon -c "$conf" -i a --mkfs --monmap "$folder/monmap" --keyring "$folder/mon.keyring"
  ceph-mon -c "$conf" -i a
  ceph="ceph -c $conf --connect-timeout 30"
  echo "{\"cephx_secret\": \"$(ceph-authtool --gen-print-key | tee "$folder/osd/key")\"}" |
    $ceph osd new "$(cat /proc/sys/kernel/random/uuid | tee "$folder/osd/uuid")" 0 -i - > /dev/null
  ceph-authtool --create-keyring "$folder/osd/0/keyring" -n osd.0 --add-key "$(cat "$folder/osd/key")" > /dev/null
  ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$(cat "$folder/osd/uuid")" > "$folder/log/mkfs.log" 2>&1
  ceph-osd -c "$conf" -i 0 > "$folder/log/osd.start.log" 2>&1
  $ceph auth get-or-create client.rgw.main mon 'allow rwx' osd 'allow rwx' -o "$folder/rgw/keyring"
  radosgw -c "$conf" -n client.rgw.main
  for _ in $(seq 600); do
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && break
    sleep 0.1
  done
  radosgw-admin -c "$conf" -n client.rgw.main user create --uid=tests --display-name=tests \
    --access-key=CEPHACCESSKEY000001 --secret-key=cephSecretKey0000000000001 > /dev/null 2> "$folder/log/admin.log"
  [[ -z "${OWNER:-}" ]] || watch "$OWNER"
}

"$command"
