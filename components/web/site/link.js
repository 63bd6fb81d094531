// What a link in a mail is for: cancelling one appointment, or ending reminders. Nothing is changed before
// somebody says so here, for mail programs look at links on their own.

import { practitioner, request, whereabouts } from "./api.js";
import { announce, byId, fill, focusHeading, h, problemBox } from "./dom.js";
import { dayInWords, hourInWords, zoneInFull } from "./time.js";

const CHANNELS = { email: "by e-mail", sms: "by text message", push: "on your phone" };

let visit = 0;

export async function showLink(kind, token) {
  const mine = ++visit;
  const path = `/v1/links/${kind}/${encodeURIComponent(token)}`;
  const section = byId("link");
  fill(section, h("p", { class: "waiting" }, "One moment…"));
  try {
    const draw = kind === "cancel" ? await cancelling(path) : await optingOut(path);
    if (mine === visit) draw();
  } catch (problem) {
    if (mine === visit) failed(problem);
  }
}

async function cancelling(path) {
  const booking = await request("GET", path);
  // A practitioner who is not there any more does not hide the appointment.
  const person = await practitioner(booking.practitioner_id).catch(() => ({ name: "", city: "" }));
  const what = () => h("div", { class: "summary" },
    h("p", { class: "summary-time" }, h("span", {}, dayInWords(booking.local_date)), " ",
      h("b", {}, hourInWords(booking.slot_start, booking.time_zone))),
    h("p", {}, zoneInFull(booking.time_zone, booking.slot_start)),
    h("p", {}, h("b", {}, person.name)),
    h("p", {}, whereabouts(person)));
  const done = () => say("Your appointment is cancelled.", what(),
    h("a", { class: "button primary", href: "#/" }, "Find another time"));
  const cancel = () => act(() => request("POST", path), done);
  return () => say("Cancel this appointment?", what(),
    h("p", {}, "The hour becomes free for others at once."),
    h("div", { class: "buttons" },
      h("a", { class: "button quiet", href: "#/" }, "Keep it"),
      h("button", { type: "button", class: "danger", onclick: cancel }, "Cancel the appointment")));
}

async function optingOut(path) {
  const first = await request("GET", path);
  const draw = ({ channel, opted_out: isOut }) => say(
    isOut ? `No more reminders ${CHANNELS[channel]}.` : `Reminders ${CHANNELS[channel]}`,
    h("p", {}, isOut
      ? "You are still told when an appointment is booked, moved or cancelled."
      : "You are reminded of each appointment before it begins, at every practice here."),
    h("button", {
      type: "button", class: isOut ? "quiet" : "primary",
      onclick: () => act(() => request(isOut ? "DELETE" : "POST", path), draw),
    }, isOut ? "Remind me again" : "No more reminders"));
  return () => draw(first);
}

async function act(change, then) {
  const section = byId("link");
  const buttons = section.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  try {
    then(await change());
  } catch (problem) {
    failed(problem);
  }
}

function failed(problem) {
  const words = {
    404: ["This link is not one of ours.", "Perhaps a part of it got lost on the way: use the one in the mail."],
    410: ["This link does nothing any more.", "What it was for is done, or its time is over."],
  }[problem.status];
  if (words) say(words[0], h("p", {}, words[1]), h("a", { class: "button primary", href: "#/appointments" }, "See my appointments"));
  else say("That did not work.", problemBox(problem));
}

function say(words, ...rest) {
  const title = h("h1", {}, words);
  fill(byId("link"), title, ...rest);
  document.title = `Praxis: ${words}`;
  announce(words);
  focusHeading(title);
}
