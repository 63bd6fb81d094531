// My appointments: what is coming, what was, and how to change it.

import { newKey, practitioner, request, specialties, whereabouts } from "./api.js";
import { confirmCancel } from "./confirm.js";
import { announce, byId, fill, focusHeading, h, problemBox } from "./dom.js";
import { session, signIn } from "./session.js";
import { dayInWords, dayPart, hourInWords, zoneName } from "./time.js";

const HOUR_MS = 3_600_000;
const PAGES_MAX = 20;
const STATUS_WORDS = {
  held: "Held for you, not confirmed yet",
  confirmed: "Booked",
  cancelled: "Cancelled",
  rescheduled: "Moved to another time",
  expired: "The hold ran out",
};

let visit = 0;

export async function showAppointments({ said, keepFocus } = {}) {
  const mine = ++visit;
  const section = byId("appointments");
  const title = h("h1", {}, "My appointments");
  if (!session.token) {
    section.replaceChildren(title,
      h("p", {}, "Sign in to see what you have booked."),
      h("button", { type: "button", class: "primary", onclick: () => signIn() }, "Sign in"));
    if (!keepFocus) focusHeading(title);
    return;
  }
  section.setAttribute("aria-busy", "true");
  if (!section.hasChildNodes()) section.replaceChildren(title, h("p", { class: "waiting" }, "One moment…"));
  try {
    const bookings = await everyBooking();
    const people = await peopleOf(bookings);
    const labels = await specialties().catch(() => new Map());
    if (mine !== visit) return;
    fill(section, title, said ? h("p", { class: "notice" }, said) : null,
      draw(bookings, people, labels));
    if (said) announce(said);
  } catch (problem) {
    if (mine !== visit) return;
    section.replaceChildren(title, problemBox(problem, problem.status === 401
      ? h("button", { type: "button", class: "primary", onclick: () => signIn() }, "Sign in")
      : h("button", { type: "button", class: "quiet", onclick: () => showAppointments() }, "Try again")));
  }
  section.setAttribute("aria-busy", "false");
  if (!keepFocus) focusHeading(title);
}

async function everyBooking() {
  const bookings = [];
  let cursor;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await request("GET", "/v1/bookings", { query: { cursor } });
    bookings.push(...answer.items);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return bookings;
}

/** A practitioner who is not there any more does not hide the appointment. */
async function peopleOf(bookings) {
  const ids = [...new Set(bookings.map((booking) => booking.practitioner_id))];
  const people = await Promise.all(ids.map((id) =>
    practitioner(id).catch(() => ({ name: "A practitioner", specialty: "" }))));
  return new Map(ids.map((id, at) => [id, people[at]]));
}

function draw(bookings, people, labels) {
  const now = Date.now();
  const isComing = (booking) => ["held", "confirmed"].includes(booking.status)
    && Date.parse(booking.slot_start) + HOUR_MS > now;
  const inOrder = bookings.toSorted((a, b) => Date.parse(a.slot_start) - Date.parse(b.slot_start));
  const coming = inOrder.filter(isComing);
  const others = inOrder.filter((booking) => !isComing(booking)).reverse();
  const card = (booking) => ticket(booking, people.get(booking.practitioner_id), labels, isComing(booking));

  return [
    coming.length
      ? h("ol", { class: "tickets", "aria-label": "Coming up" }, coming.map(card))
      : h("div", { class: "empty" },
        h("p", {}, "Nothing is coming up."),
        h("a", { class: "button primary", href: "#/" }, "Find a time")),
    others.length
      ? h("details", { class: "others" },
        h("summary", {}, `Past, moved and cancelled (${others.length})`),
        h("ol", { class: "tickets" }, others.map(card)))
      : null,
  ];
}

function ticket(booking, person, labels, canChange) {
  const day = booking.local_date;
  return h("li", { class: `plate ticket ${booking.status}`, "data-booking": booking.booking_id },
    h("div", { class: "leaf", "aria-hidden": "true" },
      h("span", {}, dayPart(day, { weekday: "short" })),
      h("b", {}, dayPart(day, { day: "numeric" })),
      h("span", {}, dayPart(day, { month: "short" }))),
    h("div", { class: "what" },
      h("h2", {}, `${dayInWords(day)}, ${hourInWords(booking.slot_start, booking.time_zone)}`),
      h("p", {}, zoneName(booking.time_zone)),
      h("p", { class: "with" }, h("b", {}, person.name), " ", labels.get(person.specialty) ?? person.specialty),
      h("p", { class: "where" }, whereabouts(person)),
      h("p", { class: "status" }, STATUS_WORDS[booking.status] ?? booking.status)),
    canChange ? h("div", { class: "buttons" },
      booking.status === "held" ? h("button", {
        type: "button", class: "primary",
        "aria-label": `Book it: ${dayInWords(day)}, ${person.name}`,
        onclick: () => take(booking),
      }, "Book it") : h("a", {
        class: "button quiet",
        href: `#/practitioner/${booking.practitioner_id}?move=${booking.booking_id}&day=${day}`,
        "aria-label": `Reschedule: ${dayInWords(day)}, ${person.name}`,
      }, "Reschedule"),
      h("button", {
        type: "button", class: "quiet dangerous",
        "aria-label": `Cancel: ${dayInWords(day)}, ${person.name}`,
        onclick: () => cancel(booking, person),
      }, "Cancel")) : null);
}

// One key for one hold: sending it again cannot book it twice.
const keys = new Map();

async function take(hold) {
  const id = hold.booking_id;
  if (!keys.has(id)) keys.set(id, newKey());
  try {
    await request("POST", "/v1/bookings", {
      headers: { "idempotency-key": keys.get(id) },
      body: { hold_id: id },
    });
    await showAppointments({ said: `You are booked: ${dayInWords(hold.local_date)}.` });
  } catch (problem) {
    await showAppointments({ said: problem.detail || problem.title });
  }
}

async function cancel(booking, person) {
  const outcome = await confirmCancel(booking, person);
  if (outcome === "unchanged") return;
  await showAppointments({
    said: outcome === "cancelled"
      ? `Your appointment of ${dayInWords(booking.local_date)} is cancelled.`
      : "This is how your appointments stand now.",
  });
}
