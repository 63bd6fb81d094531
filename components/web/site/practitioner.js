// One practitioner: who they are, their days, and the free hours of the chosen day.

import { practitioner, request, specialties, whereabouts } from "./api.js";
import { confirmSlot } from "./confirm.js";
import { announce, byId, fill, focusHeading, h, problemBox, ribbon } from "./dom.js";
import { Watch } from "./live.js";
import { spoken, stars } from "./search.js";
import { ensureSignedIn } from "./session.js";
import {
  addDays, dayInWords, dayPart, differsHere, hereClock, hourInWords, today, wallClock, zoneInFull, zoneName,
} from "./time.js";

const SHOWN_DAYS = 14;
const DAY_PARTS = [["Morning", 0, 12], ["Afternoon", 12, 17], ["Evening", 17, 24]];

let visit = 0;
let open = null;

/** Another view is shown: nothing more is to be heard of this one. */
export function leavePractitioner() {
  visit += 1;
  open?.close();
  open = null;
}

/**
 * @param {string} id
 * @param {URLSearchParams} query `day`: preferred, `move`: the booking to be rescheduled
 */
export async function showPractitioner(id, query) {
  leavePractitioner();
  const mine = visit;
  const section = byId("practitioner");
  section.replaceChildren(h("p", { class: "waiting" }, "One moment…"));
  try {
    const bookingId = query.get("move");
    if (bookingId && !await ensureSignedIn("Please sign in to move an appointment.")) {
      location.hash = "#/appointments";
      return;
    }
    const [person, labels, moving] = await Promise.all([
      practitioner(id),
      specialties().catch(() => new Map()),
      bookingId ? request("GET", `/v1/bookings/${encodeURIComponent(bookingId)}`) : null,
    ]);
    if (mine !== visit) return;
    document.title = `Praxis: ${person.name}`;
    const calendar = new Calendar({ practitioner_id: id, ...person }, moving);
    const title = h("h1", {}, person.name);
    fill(section,
      backLink(moving), profile(person, labels, title), movingNotice(moving),
      person.active === false
        ? h("p", { class: "notice" }, "No more appointments can be booked here.")
        : calendar.element);
    focusHeading(title);
    if (person.active === false) return;
    open = calendar;
    await calendar.open(query.get("day"));
  } catch (problem) {
    if (mine !== visit) return;
    section.replaceChildren(backLink(), problemBox(problem,
      h("button", { type: "button", class: "quiet", onclick: () => showPractitioner(id, query) },
        "Try again")));
  }
}

function backLink(moving) {
  const [address, words] = moving
    ? ["#/appointments", "Back to my appointments"]
    : [lastSearch(), "Back to the search"];
  return h("p", { class: "back" }, h("a", { href: address }, words));
}

let searchAddress = "#/";

/** Where “back” leads: the search that was looked at last. */
export function rememberSearch(address) {
  searchAddress = address;
}

function lastSearch() {
  return searchAddress;
}

function profile(person, labels, title) {
  return h("header", { class: "plate profile" }, title,
    h("p", { class: "field-of" }, labels.get(person.specialty) ?? person.specialty),
    h("p", { class: "where" }, whereabouts(person)),
    person.rating ? h("p", { class: "rating" }, "Rated", " ", stars(person.rating)) : null,
    person.languages.length ? h("p", { class: "spoken" }, "Speaks ", spoken(person.languages)) : null,
    person.telehealth ? h("p", {}, "Also by video or telephone") : null,
    otherPlaces(person));
}

/** Whoever works at several places can be booked at the others too. */
function otherPlaces(person) {
  if (!person.locations?.length) return null;
  return h("div", { class: "places" },
    h("p", {}, "Also at"),
    h("ul", {}, person.locations.map((place) => h("li", {},
      h("a", { href: `#/practitioner/${encodeURIComponent(place.practitioner_id)}` }, whereabouts(place))))));
}

function movingNotice(moving) {
  if (!moving) return null;
  return h("div", { class: "notice" },
    h("p", {}, "You are moving your appointment of ",
      h("b", {}, `${dayInWords(moving.local_date)}, ${moving.local_time.slice(0, 5)}`),
      ". It stays yours until you have chosen another hour."),
    h("a", { class: "button quiet", href: "#/appointments" }, "Keep it as it is"));
}

class Calendar {
  constructor(person, moving) {
    this.person = person;
    this.moving = moving;
    this.zone = person.time_zone;
    this.today = today(this.zone);
    this.last = addDays(this.today, person.horizon_days - 1);
    this.windowStart = this.today;
    this.days = new Map();
    this.chosen = null;
    this.watch = null;
    this.closed = false;

    this.title = h("h2", { id: "days-title" }, "Free days");
    this.earlier = h("button", { type: "button", class: "quiet", onclick: () => this.turn(-1) }, "Earlier");
    this.later = h("button", { type: "button", class: "quiet", onclick: () => this.turn(1) }, "Later");
    this.grid = h("fieldset", { class: "days" });
    this.hours = h("section", { class: "hours", "aria-labelledby": "hours-title" });
    this.trouble = h("div", {});
    this.element = h("div", { class: "calendar" },
      h("p", { class: "zone-note" }, this.zoneNote()),
      h("section", { class: "pick-day", "aria-labelledby": "days-title" },
        h("div", { class: "days-head" }, this.title, h("div", { class: "turn" }, this.earlier, this.later)),
        this.trouble, this.grid),
      this.hours);
  }

  zoneNote() {
    const now = Date.now();
    const differs = differsHere(this.zone, now) ? " Your own clock shows another time." : "";
    return `All times are ${zoneInFull(this.zone, now)}: the practice’s local time.${differs}`;
  }

  /** Shows the fortnight of the preferred day and chooses it, or the first free day. */
  async open(preferred) {
    while (preferred && addDays(this.windowStart, SHOWN_DAYS) <= preferred && this.hasLater()) {
      this.windowStart = addDays(this.windowStart, SHOWN_DAYS);
    }
    await this.load();
    const free = this.freeDates();
    this.choose(free.includes(preferred) ? preferred : free[0] ?? null);
  }

  async turn(direction) {
    this.windowStart = addDays(this.windowStart, direction * SHOWN_DAYS);
    await this.load();
    this.choose(this.freeDates()[0] ?? null);
    // A button that has just been switched off cannot keep the focus.
    const button = direction < 0 ? this.earlier : this.later;
    (button.disabled ? this.grid.querySelector("input:checked") : button)?.focus();
    announce(`${this.title.textContent}, ${this.freeDates().length} with free hours`);
  }

  hasLater() {
    return addDays(this.windowStart, SHOWN_DAYS) <= this.last;
  }

  windowDates() {
    return Array.from({ length: SHOWN_DAYS }, (_, at) => addDays(this.windowStart, at));
  }

  freeDates() {
    return this.windowDates().filter((date) => this.days.get(date)?.slots.length);
  }

  async load() {
    const dates = this.windowDates();
    const [from] = dates;
    const to = dates.at(-1) > this.last ? this.last : dates.at(-1);
    this.grid.setAttribute("aria-busy", "true");
    this.trouble.replaceChildren();
    try {
      const id = encodeURIComponent(this.person.practitioner_id);
      const answer = await request("GET", `/v1/practitioners/${id}/availability`, { query: { from, to } });
      for (const date of dates) this.days.delete(date);
      for (const day of answer.days) this.days.set(day.date, day);
      this.listen(from, to);
    } catch (problem) {
      this.trouble.replaceChildren(problemBox(problem,
        h("button", { type: "button", class: "quiet", onclick: () => this.open(this.chosen) }, "Try again")));
    }
    this.grid.setAttribute("aria-busy", "false");
    this.draw(dates);
  }

  /** From now on the days are what the practice's are. */
  listen(from, to) {
    if (this.closed) return;
    this.watch?.close();
    const id = encodeURIComponent(this.person.practitioner_id);
    this.watch = new Watch(`/v1/practitioners/${id}/availability/stream?from=${from}&to=${to}`,
      (days) => this.changed(days),
      async () => {
        await this.load();
        this.choose(this.chosen);
      });
  }

  close() {
    this.closed = true;
    this.watch?.close();
  }

  /** Somebody has taken an hour, or given one back. */
  changed(days) {
    const news = days.filter((day) => JSON.stringify(day) !== JSON.stringify(this.days.get(day.date)));
    if (!news.length) return;
    const before = this.days.get(this.chosen)?.slots ?? [];
    for (const day of news) this.days.set(day.date, day);
    this.keepingFocus(() => {
      this.draw(this.windowDates());
      if (this.chosen === null) this.choose(this.freeDates()[0] ?? null);
      else if (news.some((day) => day.date === this.chosen)) this.drawHours();
    });
    const after = this.days.get(this.chosen)?.slots ?? [];
    const told = [[before, after, "is not free any more"], [after, before, "is free now"]].flatMap(
      ([some, others, words]) => some
        .filter((slot) => !others.some((other) => other.slot_start === slot.slot_start))
        .map((slot) => `${slot.local_time.slice(0, 5)} ${words}`));
    if (told.length) announce(told.join(", "));
  }

  /** Draws, and gives the focus back to what stands for the same. */
  keepingFocus(draw) {
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    const same = focused?.dataset.slot ? `[data-slot="${focused.dataset.slot}"]`
      : focused?.name === "chosen-day" ? `input[value="${focused.value}"]` : null;
    draw();
    if (focused && !focused.isConnected) (same && this.element.querySelector(same) || byId("hours-title")).focus();
  }

  draw(dates) {
    this.title.textContent =
      `${dayPart(dates[0], { day: "numeric", month: "short" })} to ${dayPart(dates.at(-1), { day: "numeric", month: "short" })}`;
    this.earlier.disabled = this.windowStart <= this.today;
    this.later.disabled = !this.hasLater();
    this.grid.replaceChildren(h("legend", { class: "unseen" }, "Day"),
      ...dates.map((date) => this.dayChoice(date)));
  }

  dayChoice(date) {
    const day = this.days.get(date);
    const count = day?.slots.length ?? 0;
    const input = h("input", {
      type: "radio", name: "chosen-day", value: date, class: "unseen",
      disabled: count === 0,
      checked: date === this.chosen,
      onchange: () => this.choose(date),
    });
    return h("label", { class: `day${date === this.today ? " today" : ""}` }, input,
      h("span", { class: "face" },
        h("span", { class: "day-name", "aria-hidden": "true" }, dayPart(date, { weekday: "short" })),
        h("span", { class: "day-number", "aria-hidden": "true" }, dayPart(date, { day: "numeric" })),
        ribbon(day?.mask ?? 0),
        h("span", { class: "unseen" },
          `${dayInWords(date)}: ${count === 0 ? "nothing free" : count === 1 ? "1 free hour" : `${count} free hours`}`)));
  }

  choose(date) {
    this.chosen = date;
    const input = date && this.grid.querySelector(`input[value="${date}"]`);
    if (input) input.checked = true;
    this.drawHours();
    const day = this.days.get(date);
    if (day) announce(`${dayInWords(date)}: ${day.slots.length} free`);
  }

  drawHours() {
    const day = this.days.get(this.chosen);
    if (!day) {
      this.hours.replaceChildren(
        h("h2", { id: "hours-title", tabindex: "-1" }, "No free hour in these two weeks"),
        h("p", {}, this.hasLater() ? "Look further on with “Later”." : `Bookings open ${this.person.horizon_days} days ahead.`));
      return;
    }
    const hours = DAY_PARTS.map(([name, from, to]) => {
      const slots = day.slots.filter((slot) => {
        const hour = Number(slot.local_time.slice(0, 2));
        return from <= hour && hour < to;
      });
      return slots.length === 0 ? null : h("div", { class: "part" },
        h("h3", {}, name),
        h("ul", {}, slots.map((slot) => h("li", {}, this.hourButton(slot)))));
    });
    fill(this.hours,
      h("h2", { id: "hours-title", tabindex: "-1" }, dayInWords(this.chosen)),
      h("p", { class: "hint" }, `${zoneName(this.zone)}; each appointment takes one hour.`),
      day.slots.length ? null : h("p", {}, "Nothing is free on this day any more."),
      hours);
  }

  hourButton(slot) {
    const here = differsHere(this.zone, slot.slot_start) ? hereClock(slot.slot_start) : null;
    return h("button", {
      type: "button", class: "hour", title: here, "data-slot": slot.slot_start,
      "aria-label": `${dayInWords(this.chosen)}, ${hourInWords(slot.slot_start, this.zone)}, ${zoneName(this.zone)}`,
      onclick: () => this.confirm(slot.slot_start),
    }, slot.local_time.slice(0, 5));
  }

  async confirm(slotStart) {
    const outcome = await confirmSlot(this.person, slotStart, this.moving);
    if (outcome === "left") return;
    if (outcome === "booked" && this.moving) {
      location.hash = "#/appointments";
      return;
    }
    if (outcome === "unchanged") {
      // What the dialog was opened by may have been drawn anew, or be taken.
      if (document.activeElement === document.body) {
        (this.hours.querySelector(`[data-slot="${slotStart}"]`) ?? byId("hours-title"))?.focus();
      }
      return;
    }
    await this.load();
    const kept = this.freeDates();
    const date = wallClock(slotStart, this.zone).date;
    this.choose(kept.includes(date) ? date : kept[0] ?? null);
    byId("hours-title")?.focus();
  }
}
