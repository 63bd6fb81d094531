// Times as people read them: always the practice's wall clock, with the zone's name.

const LANGUAGE = "en-GB";
const DAY_MS = 86_400_000;

/** The date, `YYYY-MM-DD`, and time, `HH:MM`, on the wall clock of a zone. */
export function wallClock(instant, zone) {
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-CA", {
    timeZone: zone, hourCycle: "h23",
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
  }).formatToParts(new Date(instant)).map((part) => [part.type, part.value]));
  return {
    date: `${parts.year}-${parts.month}-${parts.day}`,
    time: `${parts.hour}:${parts.minute}`,
  };
}

export function today(zone) {
  return wallClock(Date.now(), zone).date;
}

export function addDays(date, days) {
  return new Date(Date.parse(`${date}T00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** `Tuesday 24 November`; the form `short` gives `Tue 24 Nov`. */
export function dayInWords(date, form = "long") {
  return new Intl.DateTimeFormat(LANGUAGE, {
    timeZone: "UTC", weekday: form, day: "numeric", month: form,
  }).format(new Date(`${date}T00:00Z`)).replace(",", "");
}

export function dayPart(date, options) {
  return new Intl.DateTimeFormat(LANGUAGE, { timeZone: "UTC", ...options })
    .format(new Date(`${date}T00:00Z`));
}

/** `Berlin time`. */
export function zoneName(zone) {
  return `${zone.split("/").at(-1).replaceAll("_", " ")} time`;
}

/** `Berlin time (Europe/Berlin, GMT+1)`, with the offset that holds at that instant. */
export function zoneInFull(zone, instant) {
  return `${zoneName(zone)} (${zone}, ${offset(zone, instant)})`;
}

/** Whether the reader's own clock shows another time than the practice's. */
export function differsHere(zone, instant) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return offset(zone, instant) !== offset(here, instant);
}

export function hereClock(instant) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const clock = wallClock(instant, here);
  return `${dayInWords(clock.date, "short")}, ${clock.time} where you are`;
}

/** A slot is one hour: `10:00 to 11:00`. */
export function hourInWords(slotStart, zone) {
  const end = new Date(Date.parse(slotStart) + 3_600_000);
  return `${wallClock(slotStart, zone).time} to ${wallClock(end, zone).time}`;
}

/** The first instant of a local date, in UTC. */
export function startOfDay(date, zone) {
  let instant = Date.parse(`${date}T00:00Z`);
  // The guess is wrong by the zone's offset; the second turn settles a change of clocks.
  for (let turn = 0; turn < 2; turn += 1) {
    const shown = wallClock(instant, zone);
    instant += Date.parse(`${date}T00:00Z`) - Date.parse(`${shown.date}T${shown.time}Z`);
  }
  return new Date(instant).toISOString().replace(".000Z", "Z");
}

function offset(zone, instant) {
  return new Intl.DateTimeFormat(LANGUAGE, { timeZone: zone, timeZoneName: "shortOffset" })
    .formatToParts(new Date(instant)).find((part) => part.type === "timeZoneName").value;
}
