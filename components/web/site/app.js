// Which view an address shows, and who is signed in.

import { showAppointments } from "./appointments.js";
import { byId, fill, focusHeading, h } from "./dom.js";
import { showLink } from "./link.js";
import { leavePractitioner, rememberSearch, showPractitioner } from "./practitioner.js";
import { setUpSearch, showSearch } from "./search.js";
import { session, signIn } from "./session.js";

const VIEWS = ["find", "practitioner", "appointments", "link"];
const TITLES = { find: "Praxis: find a free hour", appointments: "Praxis: my appointments" };

let shown = null;
let leftThrough = null;

async function route() {
  const [path, search] = location.hash.replace(/^#/, "").split("?");
  const query = new URLSearchParams(search);
  const [, kind, id] = path.split("/");
  const before = shown;

  if (kind !== "practitioner") leavePractitioner();
  if (kind === "practitioner" && id) {
    if (before === "find") leftThrough = location.hash;
    show("practitioner");
    await showPractitioner(decodeURIComponent(id), query);
  } else if (["cancel", "opt-out"].includes(kind) && id) {
    show("link");
    await showLink(kind, decodeURIComponent(id));
  } else if (kind === "appointments") {
    show("appointments");
    await showAppointments({ keepFocus: before === null });
  } else {
    show("find");
    rememberSearch(location.hash || "#/");
    if (before && before !== "find") returnFocus(before);
    await showSearch(query);
  }
}

/** Coming back from a practitioner, reading goes on at the plate that led there. */
function returnFocus(before) {
  const plate = before === "practitioner" && leftThrough
    ? byId("results").querySelector(`a[href="${CSS.escape(leftThrough)}"]`)
    : null;
  if (plate) {
    plate.focus();
    plate.scrollIntoView({ block: "center" });
  } else {
    focusHeading(byId("find-title"));
  }
}

function show(view) {
  shown = view;
  for (const name of VIEWS) byId(name).hidden = name !== view;
  if (TITLES[view]) document.title = TITLES[view];
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function drawAccount() {
  const button = byId("account");
  fill(button, ...(session.token
    ? ["Sign out ", h("span", {}, session.name ?? "")]
    : ["Sign in"]));
  if (shown === "appointments") showAppointments({ keepFocus: !session.token });
}

byId("account").addEventListener("click", () => {
  if (session.token) session.end();
  else signIn();
});
// The address's fragment names the view, so the link cannot jump by it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").setAttribute("tabindex", "-1");
  byId("main").focus();
});
session.addEventListener("change", drawAccount);
addEventListener("hashchange", route);

drawAccount();
setUpSearch();
route();
