// The city field: a combobox with a list, by the ARIA authoring practices.

import { h } from "./dom.js";

const CHOICES_MAX = 8;
const countryNames = new Intl.DisplayNames(["en"], { type: "region" });

/**
 * @param {HTMLInputElement} input with `aria-controls` naming an empty listbox
 * @param {Array<object>} cities
 * @param {(city: object) => void} onChoose
 */
export function cityCombobox(input, list, cities, onChoose) {
  const known = cities.map((city) => ({
    city,
    keys: [city.name, ...(city.also ?? [])].map(plain),
  }));
  let shown = [];
  let active = -1;

  function open() {
    shown = matches(known, input.value);
    active = -1;
    list.replaceChildren(...shown.map((city, index) => h("li", {
      id: `city-${index}`, role: "option", "aria-selected": "false",
      // Before the field loses the focus, and with it the list.
      onmousedown: (event) => { event.preventDefault(); choose(city); },
    }, city.name, h("span", {}, countryNames.of(city.country)))));
    list.hidden = shown.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
  }

  function close() {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function choose(city) {
    input.value = label(city);
    close();
    onChoose(city);
  }

  function mark(index) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = (index + shown.length) % shown.length;
    const option = list.children[active];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  }

  input.addEventListener("input", () => { onChoose(null); open(); });
  input.addEventListener("blur", () => {
    // A name typed out in full is a choice.
    const exact = known.find(({ keys }) => keys.includes(plain(input.value)));
    if (exact && !list.hidden) choose(exact.city);
    close();
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) open();
      if (shown.length) mark(active < 0 && step < 0 ? shown.length - 1 : active + step);
    } else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault();
      choose(shown[Math.max(active, 0)]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
}

export function label(city) {
  return `${city.name}, ${countryNames.of(city.country)}`;
}

function matches(known, typed) {
  const wanted = plain(typed.split(",")[0]);
  if (!wanted) return [];
  const rank = ({ keys }) => {
    if (keys.some((key) => key.startsWith(wanted))) return 0;
    return keys.some((key) => key.includes(` ${wanted}`)) ? 1 : 2;
  };
  return known.map((entry) => [rank(entry), entry.city])
    .filter(([place]) => place < 2)
    .sort(([a], [b]) => a - b)
    .slice(0, CHOICES_MAX)
    .map(([, city]) => city);
}

/** Without accents and case: `Łódź` is found by `lodz`. */
function plain(text) {
  return text.trim().toLowerCase().replaceAll("ł", "l").replaceAll("ø", "o")
    .normalize("NFD").replace(/\p{M}/gu, "");
}
