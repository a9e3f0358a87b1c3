// Numbers, sizes and times for people. The same units as on the command line.

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const number = new Intl.NumberFormat("en");
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const precise = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

export const none = "–";
const known = (value) => value !== null && value !== undefined;

export function count(value) {
  return known(value) ? number.format(value) : none;
}

export function files(value) {
  return `${count(value)} ${value === 1 ? "file" : "files"}`;
}

export function size(value) {
  if (!known(value)) return none;
  if (value < 1023.5) return `${Math.round(value)} B`;
  let left = value / 1024, power = 0;
  while (left >= 1023.95 && power < UNITS.length - 1) { left /= 1024; power += 1; }
  return `${new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(left)} ${UNITS[power]}`;
}

export function rate(value) {
  return known(value) ? `${size(value)}/s` : none;
}

export function filesRate(value) {
  if (!known(value)) return none;
  return `${value < 9.95 ? value.toFixed(1) : count(Math.round(value))} files/s`;
}

export function duration(seconds) {
  if (!known(seconds)) return none;
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds), two = (value) => String(value).padStart(2, "0");
  const days = Math.floor(whole / 86400), hours = Math.floor(whole / 3600) % 24, minutes = Math.floor(whole / 60) % 60;
  if (days) return `${days} d ${two(hours)} h`;
  if (hours) return `${hours} h ${two(minutes)} min`;
  return minutes ? `${minutes} min ${two(whole % 60)} s` : `${whole} s`;
}

export function dateTime(unix) {
  if (!known(unix)) return none;
  const at = new Date(unix * 1000), today = new Date();
  const yesterday = new Date(today.getTime() - 86400000);
  if (at.toDateString() === today.toDateString()) return `Today, ${clock.format(at)}`;
  if (at.toDateString() === yesterday.toDateString()) return `Yesterday, ${clock.format(at)}`;
  return `${day.format(at)}, ${clock.format(at)}`;
}

export function exactTime(unix) {
  return known(unix) ? exact.format(new Date(unix * 1000)) : none;
}

export function iso(unix) {
  return new Date(unix * 1000).toISOString();
}

export function preciseTime(unix) {
  return precise.format(new Date(unix * 1000));
}

export function clockTime(unix) {
  return clock.format(new Date(unix * 1000));
}
