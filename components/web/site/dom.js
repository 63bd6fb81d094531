// Making elements, and telling people what has changed.

/** An element with attributes (`onclick` and the like become listeners) and children. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  return fill(element, ...children);
}

/** Replaces what an element holds; children that are null are left out. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Says something to those who do not see the page change. */
export function announce(text) {
  const announcer = byId("announcer");
  announcer.textContent = "";
  // A region that is filled in a later frame is read out even if the words are the same.
  requestAnimationFrame(() => { announcer.textContent = text; });
}

/** Moves the focus to a heading, so that reading goes on from there. */
export function focusHeading(heading) {
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}

/** A problem of the interface, in words. `actions` are buttons or links. */
export function problemBox(problem, ...actions) {
  return h("div", { class: "problem shown", role: "alert" },
    h("strong", {}, problem.title),
    problem.detail ? h("p", {}, problem.detail) : null,
    problem.errors.length
      ? h("ul", {}, problem.errors.map((error) =>
        h("li", {}, `${fieldName(error.pointer)}: ${error.detail}`)))
      : null,
    actions.length ? h("div", { class: "buttons start" }, actions) : null);
}

function fieldName(pointer) {
  return (pointer ?? "").replace(/^[#/]*(query\/|header\/)?/, "").replaceAll("_", " ") || "the request";
}

/**
 * A day as 24 bars, one an hour; the free ones are filled.
 * @param {number} mask bit h = the local hour h is free
 */
export function ribbon(mask, from = 6, to = 21) {
  const bars = [];
  for (let hour = from; hour <= to; hour += 1) {
    bars.push(h("i", { class: (mask >> hour) & 1 ? "free" : null }));
  }
  return h("span", { class: "ribbon", "aria-hidden": "true" }, bars);
}
