// Finding practitioners: the form, and the plates that answer it.

import { request, specialties, whereabouts } from "./api.js";
import { cityCombobox, label } from "./combobox.js";
import { announce, byId, fill, h, problemBox, ribbon } from "./dom.js";
import { addDays, dayInWords, startOfDay, today, wallClock, zoneName } from "./time.js";
import { languageName } from "./words.js";

const RESULTS_PER_PAGE = 20;
const HORIZON_DAYS = 62;
const POSITION_WAIT_MS = 10_000;
/** What can be asked for; a practitioner may speak others. */
const LANGUAGES = [
  "ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "hr", "hu", "it", "lt",
  "lv", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sr", "sv", "tr", "uk", "vi", "zh",
];
const ERROR_FIELDS = ["place", "specialty", "day"];

const localZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let chosenPlace = null;
let shownSearch = "";
let running = null;

/** Fills the form's lists and listens to it. Called once. */
export async function setUpSearch() {
  const form = byId("search");
  const day = byId("day");
  day.min = today(localZone);
  day.max = addDays(day.min, HORIZON_DAYS - 1);
  drawHeroDay();

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = readForm();
    if (!query) return;
    const wanted = `#/?${new URLSearchParams(query)}`;
    if (location.hash === wanted) {
      shownSearch = "";
      showSearch(new URLSearchParams(query));
    } else {
      // The address is acted on a moment later; until then, what is shown is out of date.
      byId("results").setAttribute("aria-busy", "true");
      location.hash = wanted;
    }
  });
  byId("locate").addEventListener("click", usePosition);
  fillLanguages();
  for (const id of ERROR_FIELDS) byId(id).addEventListener("input", () => fieldError(id, ""));

  const [cities] = await Promise.all([
    fetch("/cities.json").then((answer) => answer.json()),
    fillSpecialties(),
  ]);
  cityCombobox(byId("place"), byId("place-list"), cities, (city) => {
    chosenPlace = city && { name: city.name, label: label(city), ...city };
    fieldError("place", "");
  });
}

/** Runs the search that an address describes; without one, only the form is there. */
export async function showSearch(query) {
  if (!query.has("lat")) {
    byId("welcome").hidden = Boolean(shownSearch);
    return;
  }
  byId("welcome").hidden = true;
  if (query.toString() === shownSearch) return;
  shownSearch = query.toString();
  fillForm(query);

  running?.abort();
  running = new AbortController();
  const results = byId("results");
  results.setAttribute("aria-busy", "true");
  announce("Searching");
  try {
    const answer = await ask(query, null, running.signal);
    const labels = await specialties().catch(() => new Map());
    drawResults(query, answer, labels);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    shownSearch = "";
    results.replaceChildren(problemBox(problem,
      h("button", { type: "button", class: "quiet", onclick: () => showSearch(query) }, "Try again")));
  }
  results.setAttribute("aria-busy", "false");
}

function ask(query, cursor, signal) {
  const by = query.get("by");
  return request("GET", "/v1/practitioners/search", {
    query: {
      lat: query.get("lat"),
      lon: query.get("lon"),
      radius_km: query.get("within"),
      specialty: query.get("specialty"),
      language: query.get("speaks"),
      telehealth: query.get("video"),
      // The whole of that day counts: up to the first instant of the next.
      available_before: by && startOfDay(addDays(by, 1), query.get("zone") ?? localZone),
      limit: RESULTS_PER_PAGE,
      cursor,
    },
    signal,
  });
}

function drawResults(query, answer, labels) {
  const results = byId("results");
  const count = answer.total ?? answer.items.length;
  const place = `within ${query.get("within")} km of ${query.get("near")}`;
  const heading = count === 0
    ? `Nobody free ${place}`
    : `${count} ${count === 1 ? "practitioner" : "practitioners"} ${place}`;
  const title = h("h2", { id: "results-title", tabindex: "-1" }, heading);

  if (count === 0) {
    fill(results, title, h("p", {}, nobodyFree(query)));
  } else {
    const list = h("ol", { class: "plates", "aria-labelledby": "results-title" },
      answer.items.map((item) => plate(item, query, labels)));
    fill(results, title,
      h("p", { class: "hint" }, "Near and well rated first. Times are each practice’s own local time."),
      list, moreButton(answer.next_cursor, query, list, labels));
  }
  title.focus({ preventScroll: true });
  title.scrollIntoView({ block: "start", behavior: calm() ? "auto" : "smooth" });
  announce(heading);
}

function nobodyFree(query) {
  const by = query.get("by");
  const when = by ? `on or before ${dayInWords(by)}` : "in the next 7 days";
  return `No practitioner of this specialty has a free hour there ${when}. Try a wider circle or a later day.`;
}

function moreButton(cursor, query, list, labels) {
  if (!cursor) return null;
  const button = h("button", {
    type: "button", class: "quiet more",
    onclick: async () => {
      button.disabled = true;
      try {
        const answer = await ask(query, cursor);
        const plates = answer.items.map((item) => plate(item, query, labels));
        list.append(...plates);
        const next = moreButton(answer.next_cursor, query, list, labels);
        if (next) button.replaceWith(next);
        else button.remove();
        plates[0]?.querySelector("a").focus();
        announce(`${plates.length} more`);
      } catch (problem) {
        button.disabled = false;
        button.after(problemBox(problem));
      }
    },
  }, "Show more");
  return button;
}

function plate(item, query, labels) {
  const params = new URLSearchParams();
  if (query.get("by")) params.set("day", query.get("by"));
  const address = `#/practitioner/${item.practitioner_id}${params.size ? `?${params}` : ""}`;
  return h("li", { class: "plate result" },
    h("div", { class: "who" },
      h("h3", {}, h("a", { href: address }, item.name)),
      h("p", { class: "field-of" }, labels.get(item.specialty) ?? item.specialty),
      h("p", { class: "where" }, whereabouts(item))),
    h("dl", { class: "facts" },
      fact("Distance", distance(item.distance_km)),
      item.rating ? fact("Rating", stars(item.rating)) : null,
      item.languages.length ? fact("Speaks", spoken(item.languages)) : null,
      item.telehealth ? fact("Also by", "video or telephone") : null),
    nextFree(item));
}

/** `German, Turkish` */
export function spoken(languages) {
  return languages.map(languageName).join(", ");
}

function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

export function stars(rating) {
  return h("span", {},
    h("span", { class: "star", "aria-hidden": "true" }, "★"),
    ` ${rating.toFixed(1)}`, h("span", { class: "unseen" }, " of 5"));
}

function distance(km) {
  if (km === undefined || km === null) return "unknown";
  return km < 1 ? `${Math.max(50, Math.round(km * 20) * 50)} m` : `${km.toFixed(1)} km`;
}

function nextFree(item) {
  if (!item.next_available_slot) {
    return h("p", { class: "next none" }, "No free hour at present");
  }
  const clock = wallClock(item.next_available_slot, item.time_zone);
  return h("p", { class: "next" },
    h("span", { class: "next-label" }, "Next free "),
    h("time", { datetime: item.next_available_slot },
      h("span", {}, dayInWords(clock.date, "short")), " ", h("b", {}, clock.time)),
    h("span", { class: "zone" }, ` ${zoneName(item.time_zone)}`));
}

// ---------------------------------------------------------------- the form

function readForm() {
  const place = chosenPlace;
  const specialty = byId("specialty").value;
  const day = byId("day");
  const wrong = [];
  if (!place) wrong.push(["place", "Choose a city from the list, or use your position."]);
  if (!specialty) wrong.push(["specialty", "Choose a specialty."]);
  if (!day.validity.valid) wrong.push(["day", `Choose a day within ${HORIZON_DAYS} days from today.`]);
  for (const id of ERROR_FIELDS) fieldError(id, "");
  for (const [id, words] of wrong) fieldError(id, words);
  if (wrong.length) {
    byId(wrong[0][0]).focus();
    return null;
  }
  const query = {
    near: place.name, lat: place.lat, lon: place.lon, zone: place.time_zone,
    within: byId("radius").value, specialty,
  };
  if (byId("language").value) query.speaks = byId("language").value;
  if (byId("telehealth").checked) query.video = "true";
  if (day.value) query.by = day.value;
  return query;
}

/** After a reload, or a step back, the form says what is shown. */
function fillForm(query) {
  chosenPlace = {
    name: query.get("near"), lat: query.get("lat"), lon: query.get("lon"),
    time_zone: query.get("zone") ?? localZone,
  };
  const place = byId("place");
  if (place.value.split(",")[0] !== chosenPlace.name) place.value = chosenPlace.name;
  byId("radius").value = query.get("within");
  byId("specialty").value = query.get("specialty");
  byId("language").value = query.get("speaks") ?? "";
  byId("telehealth").checked = query.get("video") === "true";
  byId("day").value = query.get("by") ?? "";
}

function fieldError(id, words) {
  byId(`${id}-error`).textContent = words;
  byId(id).toggleAttribute("aria-invalid", Boolean(words));
}

function fillLanguages() {
  const select = byId("language");
  const named = LANGUAGES.map((key) => [key, languageName(key)]);
  named.sort(([, a], [, b]) => a.localeCompare(b));
  select.append(...named.map(([key, words]) => h("option", { value: key }, words)));
  select.value = new URLSearchParams(location.hash.split("?")[1]).get("speaks") ?? "";
}

async function fillSpecialties() {
  const select = byId("specialty");
  try {
    const labels = await specialties();
    const named = [...labels].sort(([, a], [, b]) => a.localeCompare(b));
    select.append(...named.map(([key, words]) => h("option", { value: key }, words)));
    select.value = new URLSearchParams(location.hash.split("?")[1]).get("specialty") ?? "";
  } catch (problem) {
    fieldError("specialty", `The specialties cannot be shown. ${problem.detail}`);
  }
}

function usePosition() {
  if (!navigator.geolocation) {
    fieldError("place", "This browser does not tell positions. Choose a city instead.");
    return;
  }
  announce("Asking for your position");
  navigator.geolocation.getCurrentPosition(({ coords }) => {
    // Two decimals, about a kilometre: enough for a search, and no one's doorstep.
    chosenPlace = {
      name: "your position", lat: coords.latitude.toFixed(2), lon: coords.longitude.toFixed(2),
      time_zone: localZone,
    };
    byId("place").value = chosenPlace.name;
    fieldError("place", "");
    announce("Your position is set");
  }, () => {
    fieldError("place", "Your position could not be read. Choose a city instead.");
    byId("place").focus();
  }, { timeout: POSITION_WAIT_MS, maximumAge: 600_000 });
}

/** A day of 24 hours, as the bars that stand for free hours everywhere on the page. */
function drawHeroDay() {
  const mask = [8, 9, 11, 14, 15, 17].reduce((bits, hour) => bits | (1 << hour), 0);
  byId("hero-day").append(ribbon(mask));
  byId("welcome-day").append(ribbon(mask));
}

function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

