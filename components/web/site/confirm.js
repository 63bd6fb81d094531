// The last step before something changes: booking, moving, cancelling.

import { newKey, request, whereabouts } from "./api.js";
import { byId, fill, h, problemBox } from "./dom.js";
import { ensureSignedIn } from "./session.js";
import { dayInWords, differsHere, hereClock, hourInWords, wallClock, zoneInFull } from "./time.js";

/**
 * Books a slot, or moves a booking to it.
 * @returns {Promise<"booked" | "stale" | "unchanged" | "left">} `stale`: what was shown is no
 *   longer free; `left`: booked, and on the way to another view
 */
export function confirmSlot(person, slotStart, moving) {
  const zone = person.time_zone;
  // One key for one wish: sending it again cannot book it twice.
  const keys = new Map();
  let outcome = "unchanged";

  return open((dialog) => {
    function ask(slot, ...notes) {
      const send = h("button", { type: "button", class: "primary", onclick: () => book(slot) },
        moving ? "Move it here" : "Book this hour");
      fill(dialog,
        h("h2", { id: "confirm-title" }, moving ? "Move your appointment?" : "Book this hour?"),
        summary(person, slot, zone),
        moving ? h("p", { class: "hint" }, `Instead of ${dayInWords(moving.local_date)}, ${moving.local_time.slice(0, 5)}.`) : null,
        ...notes,
        h("div", { class: "buttons" }, closeButton(dialog, "Not this one"), send));
      send.focus();
    }

    async function book(slot) {
      if (!await ensureSignedIn("Please sign in to book. You come straight back to this hour.")) return;
      busy(dialog, true);
      if (!keys.has(slot)) keys.set(slot, newKey());
      try {
        await (moving ? move(moving, slot, keys.get(slot)) : create(person, slot, keys.get(slot)));
        outcome = "booked";
        booked(slot);
      } catch (problem) {
        refused(slot, problem);
      }
      busy(dialog, false);
    }

    function booked(slot) {
      const title = h("h2", { id: "confirm-title", tabindex: "-1" },
        moving ? "Your appointment is moved." : "You are booked.");
      fill(dialog, title, summary(person, slot, zone),
        h("p", {}, "A confirmation with a calendar entry is on its way to you."),
        h("div", { class: "buttons" },
          moving ? null : closeButton(dialog, "Stay here"),
          h("a", {
            class: "button primary", href: "#/appointments",
            onclick: () => { if (!moving) outcome = "left"; dialog.close(); },
          }, "See my appointments")));
      title.focus();
    }

    function refused(slot, problem) {
      if (problem.status === 409 || problem.status === 422) outcome = "stale";
      if (problem.is("slot-taken")) {
        taken(slot, problem);
      } else if (problem.is("version-conflict")) {
        fill(dialog, h("h2", { id: "confirm-title" }, "This appointment has changed."),
          h("p", {}, "It was moved or cancelled elsewhere in the meantime. Nothing was changed now."),
          h("div", { class: "buttons" }, h("a", {
            class: "button primary", href: "#/appointments",
            onclick: () => { outcome = "left"; dialog.close(); },
          }, "See my appointments")));
      } else {
        ask(slot, problemBox(problem));
      }
    }

    function taken(slot, problem) {
      const title = h("h2", { id: "confirm-title", tabindex: "-1" }, "Somebody was faster.");
      const others = problem.alternatives;
      fill(dialog, title,
        h("p", {}, `${at(slot, zone)} has just been taken.`,
          moving ? " Your appointment stands as it was." : "",
          others.length ? " These hours are free next:" : " No other hour is free at present."),
        h("ul", { class: "alternatives" }, others.map((other) => h("li", {},
          h("button", { type: "button", class: "hour", "data-slot": other, onclick: () => ask(other) },
            at(other, zone))))),
        h("div", { class: "buttons" }, closeButton(dialog, "Back to the calendar")));
      title.focus();
    }

    ask(slotStart);
    return () => outcome;
  });
}

/**
 * Cancels a booking.
 * @returns {Promise<"cancelled" | "stale" | "unchanged">}
 */
export function confirmCancel(booking, person) {
  let outcome = "unchanged";
  return open((dialog) => {
    function ask(...notes) {
      const keep = closeButton(dialog, "Keep it");
      fill(dialog, h("h2", { id: "confirm-title" }, "Cancel this appointment?"),
        summary(person, booking.slot_start, booking.time_zone),
        h("p", {}, "The hour becomes free for others at once."), ...notes,
        h("div", { class: "buttons" }, keep,
          h("button", { type: "button", class: "danger", onclick: cancel }, "Cancel the appointment")));
      keep.focus();
    }

    async function cancel() {
      busy(dialog, true);
      try {
        await request("POST", `/v1/bookings/${encodeURIComponent(booking.booking_id)}/cancel`, {
          headers: { "if-match": etag(booking) },
        });
        outcome = "cancelled";
        dialog.close();
      } catch (problem) {
        if (problem.status === 409 || problem.status === 412) outcome = "stale";
        ask(problemBox(problem));
      }
      busy(dialog, false);
    }

    ask();
    return () => outcome;
  });
}

function create(person, slot, key) {
  return request("POST", "/v1/bookings", {
    body: { practitioner_id: person.practitioner_id, slot_start: slot },
    headers: { "idempotency-key": key },
  });
}

function move(booking, slot, key) {
  return request("POST", `/v1/bookings/${encodeURIComponent(booking.booking_id)}/reschedule`, {
    body: { slot_start: slot },
    headers: { "idempotency-key": key, "if-match": etag(booking) },
  });
}

function etag(booking) {
  return `"${booking.version}"`;
}

// ---------------------------------------------------------------- the dialog

/** Opens the dialog; resolves, once it is closed, to what `build`'s answer says then. */
function open(build) {
  const dialog = byId("confirm");
  return new Promise((resolve) => {
    dialog.replaceChildren();
    // Open first: what is built then says where the focus goes.
    dialog.showModal();
    const outcome = build(dialog);
    dialog.addEventListener("close", () => resolve(outcome()), { once: true });
  });
}

function busy(dialog, is) {
  dialog.setAttribute("aria-busy", String(is));
  for (const button of dialog.querySelectorAll("button")) button.disabled = is;
}

function closeButton(dialog, words) {
  return h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, words);
}

function at(slot, zone) {
  const clock = wallClock(slot, zone);
  return `${dayInWords(clock.date, "short")}, ${clock.time}`;
}

function summary(person, slot, zone) {
  const clock = wallClock(slot, zone);
  return h("div", { class: "summary" },
    h("p", { class: "summary-time" }, h("span", {}, dayInWords(clock.date)), " ",
      h("b", {}, hourInWords(slot, zone))),
    h("p", {}, zoneInFull(zone, slot)),
    differsHere(zone, slot) ? h("p", { class: "here" }, hereClock(slot)) : null,
    h("p", {}, h("b", {}, person.name)),
    h("p", {}, whereabouts(person)));
}
