// dates.js writes times as Slack writes them, in the reader's own time zone.

const format = (options) => {
  const intl = new Intl.DateTimeFormat("en-US", options);
  return (date) => intl.format(date);
};

const clock = format({ hour: "numeric", minute: "2-digit" });
const seconds = format({ hour: "numeric", minute: "2-digit", second: "2-digit" });
const dayMonth = format({ month: "short", day: "numeric" });
const weekday = format({ weekday: "long" });
const month = format({ month: "long" });
const shortMonth = format({ month: "short" });

/** moment turns a Slack ts ("1763900000.000100") or Unix seconds into a Date. */
export const moment = (ts) => new Date(Number.parseFloat(ts) * 1000);

export const time = (date) => clock(date);

/** shortTime is what stands in the gutter of a grouped message: the time without AM or PM. */
export const shortTime = (date) => clock(date).replace(/\s?[AP]M$/, "");

export const sameDay = (a, b) => a.toDateString() === b.toDateString();

function nearDay(date, now) {
  const days = Math.round((midnight(date) - midnight(now)) / 86400e3);
  return { 0: "today", "-1": "yesterday", 1: "tomorrow" }[days];
}

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** dayTitle is the label of a day's divider: Today, Yesterday, Monday, November 23rd. */
export function dayTitle(date, now = new Date()) {
  const near = nearDay(date, now);
  if (near) return capital(near);
  const year = date.getFullYear() === now.getFullYear() ? "" : `, ${date.getFullYear()}`;
  return `${weekday(date)}, ${month(date)} ${ordinal(date.getDate())}${year}`;
}

/** when is a day and a time in a sentence: today at 2:53 AM, Nov 3rd at 9:12 PM. */
export function when(date, now = new Date()) {
  const near = nearDay(date, now);
  return `${near ?? `${shortMonth(date)} ${ordinal(date.getDate())}`} at ${clock(date)}`;
}

function ordinal(n) {
  const rest = n % 100;
  if (rest >= 11 && rest <= 13) return `${n}th`;
  return n + ({ 1: "st", 2: "nd", 3: "rd" }[n % 10] ?? "th");
}

/** ago is the {ago} of Slack's date tokens. */
export function ago(date, now = new Date()) {
  const delta = (now - date) / 1000;
  const distance = Math.abs(delta);
  const units = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [Infinity, "day", 86400]];
  const [, name, size] = units.find(([limit]) => distance < limit);
  const count = Math.floor(distance / size);
  if (name === "second" && count < 5) return "just now";
  const text = `${count} ${name}${count === 1 ? "" : "s"}`;
  return delta >= 0 ? `${text} ago` : `in ${text}`;
}

const TOKENS = {
  date_num: (d) => [d.getFullYear(), d.getMonth() + 1, d.getDate()].map((n) => String(n).padStart(2, "0")).join("-"),
  date_slash: (d) => [d.getMonth() + 1, d.getDate(), d.getFullYear()].map((n) => String(n).padStart(2, "0")).join("/"),
  date: (d) => `${month(d)} ${ordinal(d.getDate())}, ${d.getFullYear()}`,
  date_short: (d) => `${dayMonth(d)}, ${d.getFullYear()}`,
  date_long: (d) => `${weekday(d)}, ${month(d)} ${ordinal(d.getDate())}, ${d.getFullYear()}`,
  time: clock,
  time_secs: seconds,
  ago,
};
TOKENS.date_long_full = TOKENS.date_long;
TOKENS.day_divider_pretty = (d) => dayTitle(d);
for (const name of ["date", "date_short", "date_long"]) {
  TOKENS[`${name}_pretty`] = (d) => nearDay(d, new Date()) ?? TOKENS[name](d);
}

/** fill replaces the {tokens} of a Slack date format; an unknown token makes it null, and the fallback is shown. */
export function fill(pattern, date) {
  let known = !Number.isNaN(date.getTime());
  const text = pattern.replace(/\{(\w+)\}/g, (_, name) => {
    if (TOKENS[name] && known) return TOKENS[name](date);
    known = false;
    return "";
  });
  if (!known) return null;
  return pattern.startsWith("{") ? capital(text) : text;
}
