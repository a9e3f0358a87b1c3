/* wanlink: a shaped link between two network namespaces, in user space, for kernels without a shaping queue discipline.
 *
 *     wanlink NAMESPACE_A NAMESPACE_B ROUND_TRIP_MS LOSS_PER_CENT RATE_MBIT QUEUE_KIB
 *
 * It opens a TUN device "wan0" in each namespace and carries packets between them. Each direction delays packets by half
 * the round trip, loses some at random, limits the rate, and drops packets when the queue is full. Both ends use the
 * kernel's own TCP, so it meets real delay, loss and queues. It prints "ready" and runs until a signal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define LONGEST 66000        /* bytes of one packet with its header from the device */
#define RING (1u << 16)      /* packets in flight in one direction */
#define DEVICE_HEADER 10     /* struct virtio_net_hdr, before every packet */
#define FRAME 14             /* an Ethernet header; it counts for the rate, although a TUN device has none */
#define EARLY_NS 2000        /* a packet due this soon is sent now */

typedef struct {
    uint64_t due;
    uint32_t length;
    uint8_t *data;
} packet;

/* One direction: a reader puts packets with their due times into a ring, and a writer sends them at those times. */
typedef struct {
    int in, out;
    double loss, ns_per_byte;
    uint64_t delay, longest_queue_ns, random, free_at;
    packet *ring;
    _Atomic uint32_t head, tail;
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    _Atomic int sleeping;
} direction;

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

static double chance(direction *way)
{
    way->random ^= way->random << 13;
    way->random ^= way->random >> 7;
    way->random ^= way->random << 17;
    return (double)(way->random >> 11) / 9007199254740992.0;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int open_device(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/var/run/netns/%s", name);
    int space = open(path, O_RDONLY);
    if (space < 0 || setns(space, CLONE_NEWNET) < 0)
        fail(path);
    close(space);
    int device = open("/dev/net/tun", O_RDWR);
    if (device < 0)
        fail("/dev/net/tun");
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    strcpy(request.ifr_name, "wan0");
    if (ioctl(device, TUNSETIFF, &request) < 0)
        fail("TUNSETIFF");
    if (ioctl(device, TUNSETOFFLOAD, TUN_F_CSUM) < 0)
        perror("TUNSETOFFLOAD"); /* without it the link works, but takes more CPU */
    return device;
}

/* Returns the due time of a packet that arrives now, or 0 if the queue is full. */
static uint64_t due(direction *way, size_t bytes)
{
    uint64_t came = now();
    uint64_t begins = way->free_at > came ? way->free_at : came;
    if (way->ns_per_byte > 0) {
        if (begins - came > way->longest_queue_ns)
            return 0;
        begins += (uint64_t)((double)bytes * way->ns_per_byte);
        way->free_at = begins;
    }
    return begins + way->delay;
}

static void put(direction *way, const uint8_t *data, size_t length, uint64_t when)
{
    uint32_t head = atomic_load_explicit(&way->head, memory_order_relaxed);
    if (head - atomic_load_explicit(&way->tail, memory_order_acquire) >= RING)
        return;
    packet *place = &way->ring[head & (RING - 1)];
    place->data = malloc(length);
    if (place->data == NULL)
        return;
    memcpy(place->data, data, length);
    place->length = (uint32_t)length;
    place->due = when;
    atomic_store(&way->head, head + 1);
    if (atomic_load(&way->sleeping)) {
        pthread_mutex_lock(&way->mutex);
        pthread_cond_signal(&way->filled);
        pthread_mutex_unlock(&way->mutex);
    }
}

static void *reader(void *argument)
{
    direction *way = argument;
    uint8_t *buffer = malloc(LONGEST);
    for (;;) {
        ssize_t length = read(way->in, buffer, LONGEST);
        if (length < 0 && errno != EINTR)
            return NULL;
        if (length <= DEVICE_HEADER || (way->loss > 0 && chance(way) < way->loss))
            continue;
        uint64_t when = due(way, (size_t)length - DEVICE_HEADER + FRAME);
        if (when != 0)
            put(way, buffer, (size_t)length, when);
    }
}

static void wait_for_packet(direction *way, uint32_t tail)
{
    pthread_mutex_lock(&way->mutex);
    atomic_store(&way->sleeping, 1);
    while (tail == atomic_load(&way->head))
        pthread_cond_wait(&way->filled, &way->mutex);
    atomic_store(&way->sleeping, 0);
    pthread_mutex_unlock(&way->mutex);
}

static void *writer(void *argument)
{
    direction *way = argument;
    prctl(PR_SET_TIMERSLACK, 1000);
    for (;;) {
        uint32_t tail = atomic_load_explicit(&way->tail, memory_order_relaxed);
        if (tail == atomic_load(&way->head))
            wait_for_packet(way, tail);
        packet *next = &way->ring[tail & (RING - 1)];
        if (next->due > now() + EARLY_NS) {
            struct timespec until = {(time_t)(next->due / 1000000000ull), (long)(next->due % 1000000000ull)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        }
        /* A packet that the device refuses is lost, as on any link. */
        if (write(way->out, next->data, next->length) < 0 && errno == EBADF)
            return NULL;
        free(next->data);
        atomic_store_explicit(&way->tail, tail + 1, memory_order_release);
    }
}

static void begin(direction *way, char **given, uint64_t seed)
{
    double rate = atof(given[5]);
    way->delay = (uint64_t)(atof(given[3]) * 500000);
    way->loss = atof(given[4]) / 100;
    way->ns_per_byte = rate > 0 ? 8000.0 / rate : 0;
    way->longest_queue_ns = (uint64_t)(atof(given[6]) * 1024 * way->ns_per_byte);
    way->random = seed;
    way->ring = calloc(RING, sizeof(packet));
    pthread_mutex_init(&way->mutex, NULL);
    pthread_cond_init(&way->filled, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, reader, way);
    pthread_create(&thread, NULL, writer, way);
}

int main(int count, char **given)
{
    static direction there, back;
    if (count != 7) {
        fprintf(stderr, "wanlink NAMESPACE_A NAMESPACE_B ROUND_TRIP_MS LOSS_PER_CENT RATE_MBIT QUEUE_KIB\n");
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int a = open_device(given[1]), b = open_device(given[2]);
    there.in = back.out = a;
    there.out = back.in = b;
    begin(&there, given, 88172645463325253ull);
    begin(&back, given, 176345290926650506ull);
    printf("ready\n");
    fflush(stdout);
    int signal_number;
    sigwait(&signals, &signal_number);
    return 0;
}
