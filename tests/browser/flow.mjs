// Drives the page as patients do: with a mouse, with the keyboard alone, and on a phone.
//
//     node flow.mjs <base-url> <screenshot-dir> <practitioner-id>
//
// The practitioner works at two places.
// Needs a running Praxis in development mode with practitioners around Berlin, and Chromium
// (CHROMIUM, or /usr/bin/chromium). Ends with 1 and the step that failed.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

const STEP_WAIT_MS = 20_000;
const MAIL_EVERY_MS = 100;
const TABS_MAX = 80;
/** A day that is not on the calendar's first leaf. */
const LATER_DAYS = 20;
const PHONE = { width: 390, height: 844 };
const DESK = { width: 1280, height: 900 };
const CHROMIUM_FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

const [baseUrl, screenshotDir, ofTwoPlaces] = process.argv.slice(2);
if (!baseUrl || !screenshotDir || !ofTwoPlaces) {
  console.error("usage: node flow.mjs <base-url> <screenshot-dir> <practitioner-id>");
  process.exit(2);
}
// Each run's people are new: nothing that an earlier run left behind is in the way.
const run = Date.now().toString(36);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let current = "start";
const startedMs = performance.now();
function step(name) {
  current = name;
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${name}`);
}

const profile = await mkdtemp(join(tmpdir(), "praxis-browser-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: CHROMIUM_FLAGS,
  headless: true,
  viewport: DESK,
}).catch((error) => {
  console.error(`could not start chromium (set CHROMIUM, or install the package chromium): ${error.message}`);
  process.exit(1);
});

try {
  await withPage({ viewport: DESK, timezoneId: "Europe/Berlin" }, withAMouse);
  await withPage({ viewport: DESK, timezoneId: "Europe/London", colorScheme: "dark" }, byKeyboardAlone);
  await withPage({ viewport: PHONE, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }, onAPhone);
  step("done");
} catch (error) {
  console.error(`\nfailed at: ${current}\n${error.stack ?? error}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}

/** A fresh context; whatever the page logs as an error fails the run. */
async function withPage(options, drive) {
  const context = await browser.browser().newContext({ baseURL: baseUrl, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(STEP_WAIT_MS);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (line) => {
    // The browser logs each 4xx answer as well; those are looked at where they are provoked.
    if (line.type() === "error" && !line.text().startsWith("Failed to load resource")) complaints.push(line.text());
  });
  try {
    await drive(page);
  } catch (error) {
    await page.screenshot({ path: join(tmpdir(), "praxis-browser-failure.png") }).catch(() => {});
    throw error;
  }
  assert.deepEqual(complaints, [], "the browser's console must stay clean");
  await context.close();
}

// ---------------------------------------------------------------- with a mouse

async function withAMouse(page) {
  step("the files are guarded, and sent once");
  await filesBehave(page.request);

  step("the page opens");
  await page.goto("/");
  await visible(page.getByRole("heading", { level: 1, name: /free hour/i }));
  await accessible(page);

  step("a search without a place and a specialty says what is missing");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await visible(page.getByText("Choose a city from the list"));
  await visible(page.getByText("Choose a specialty."));

  step("a search for Berlin answers with practitioners");
  await page.getByRole("combobox", { name: "Place" }).fill("berl");
  await page.getByRole("option", { name: /Berlin/ }).click();
  const specialty = await searchTheFirstThatAnswers(page);
  assert.match(await page.locator("#results-title").innerText(), /^\d+ practitioners? within 25 km of Berlin$/);
  await visible(page.locator(".result .next time").first());
  await worded(page);
  await accessible(page);
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(screenshotDir, "page.png") });

  step("a search for a later day finds them as well");
  const day = new Date(Date.now() + LATER_DAYS * 86_400_000).toISOString().slice(0, 10);
  await page.getByLabel("Free by").fill(day);
  const asked = page.waitForRequest((request) => request.url().includes("available_before="));
  await page.getByRole("button", { name: "Search", exact: true }).click();
  assert.match((await asked).url(), /available_before=\d{4}-\d\d-\d\dT\d\d%3A00%3A00Z/);
  await answered(page);

  step(`a practitioner of ${specialty} opens, with their days in local time`);
  const name = await openTheFirstFree(page);
  await visible(page.locator(`input[name=chosen-day][value="${day}"] + .face`));
  assert.equal(await page.locator("#practitioner h1").innerText(), name);
  await worded(page);
  await visible(page.getByText(/All times are Berlin time \(Europe\/Berlin, GMT\+\d\)/));
  await accessible(page);

  step("an hour is booked, after signing in");
  const booked = await chooseHour(page);
  await page.getByRole("button", { name: "Book this hour" }).click();
  await signIn(page, "Mara Flow");
  await visible(page.getByRole("heading", { name: "You are booked." }));
  await accessible(page);
  await page.getByRole("link", { name: "See my appointments" }).click();

  step("it is under my appointments");
  await visible(coming(page));
  assert.equal(await coming(page).count(), 1);
  await visible(coming(page).getByText(name));
  await worded(page);
  await visible(coming(page).getByRole("heading", { name: booked.time }));
  await accessible(page);

  step("its hour is no longer offered");
  await page.getByRole("link", { name: "Reschedule" }).click();
  await visible(page.getByText("You are moving your appointment"));
  const practitioner = page.url().match(/practitioner\/([^?]+)/)[1];
  await goneFromAvailability(page, practitioner, booked.slot);
  await page.reload();
  await visible(page.getByText("You are moving your appointment"));
  await visible(page.locator(".hour").first());
  assert.equal(await page.locator(`.hour[data-slot="${booked.slot}"]`).count(), 0);

  step("it is moved to another hour");
  const moved = await chooseHour(page);
  await page.getByRole("button", { name: "Move it here" }).click();
  await visible(page.getByRole("heading", { name: "Your appointment is moved." }));
  await page.getByRole("link", { name: "See my appointments" }).click();
  await visible(coming(page).getByRole("heading", { name: moved.time }));
  assert.equal(await coming(page).count(), 1);
  await goneFromAvailability(page, practitioner, moved.slot);
  await page.getByText(/Past, moved and cancelled \(1\)/).click();
  await visible(page.locator(".ticket.rescheduled").getByText("Moved to another time"));

  step("it is kept, then cancelled");
  await page.getByRole("button", { name: /^Cancel: / }).click();
  await page.getByRole("button", { name: "Keep it" }).click();
  assert.equal(await coming(page).count(), 1);
  await page.getByRole("button", { name: /^Cancel: / }).click();
  await page.getByRole("button", { name: "Cancel the appointment" }).click();
  await visible(page.getByText(/Your appointment of .* is cancelled\./).first());
  await visible(page.getByText("Nothing is coming up."));
  assert.equal(await coming(page).count(), 0);

  step("what is held for them is booked there");
  await holdForThem(page, practitioner, moved.slot);
  await page.reload();
  const held = page.locator(".ticket.held");
  await visible(held.getByText(name));
  await worded(page);
  await accessible(page);
  await held.getByRole("button", { name: /^Book it: / }).click();
  await visible(page.getByText(/^You are booked: /).first());
  await visible(coming(page).getByRole("heading", { name: moved.time }));
  assert.deepEqual([await coming(page).count(), await held.count()], [1, 0]);
  await goneFromAvailability(page, practitioner, moved.slot);

  step("signing out hides the appointments");
  await page.getByRole("button", { name: /^Sign out/ }).click();
  await visible(page.getByText("Sign in to see what you have booked."));

  step("the link in the mail cancels, without signing in, and once");
  await page.goto(`/#/practitioner/${practitioner}`);
  await visible(page.locator(".hour").first());
  const freed = await page.locator(".hours .hour").last().getAttribute("data-slot");
  await bookAsSomebodyElse(page, freed);
  step("an hour that somebody else takes goes away on the open page");
  const offered = (shown) => shown.locator(`.hour[data-slot="${freed}"]`);
  await offered(page).waitFor({ state: "detached" });
  await visible(page.locator(".hour").first());
  await accessible(page);
  const watching = await page.context().newPage();
  await watching.goto(`/#/practitioner/${practitioner}`);
  await watching.locator(`input[name=chosen-day][value="${freed.slice(0, 10)}"] + .face`).click();
  await visible(watching.locator(".hour").first());
  assert.equal(await offered(watching).count(), 0);
  const link = await linkInMail(page, "else@example.org");
  await page.goto(link);
  await visible(page.getByRole("heading", { name: "Cancel this appointment?" }));
  await visible(page.locator("#link .summary").getByText(name));
  await worded(page);
  await accessible(page);
  await page.getByRole("button", { name: "Cancel the appointment" }).click();
  await visible(page.getByRole("heading", { name: "Your appointment is cancelled." }));
  step("an hour that comes free is there on the open page");
  await visible(offered(watching));
  await watching.close();
  await page.reload();
  await visible(page.getByRole("heading", { name: "This link does nothing any more." }));
  await page.goto("/#/cancel/not-one-of-ours");
  await visible(page.getByRole("heading", { name: "This link is not one of ours." }));

  step("an unknown practitioner is told in words");
  await page.goto("/#/practitioner/00000000-0000-4000-8000-000000000000");
  await visible(page.getByRole("alert").filter({ hasText: /not found/i }));

  step("the documentation is readable");
  await page.goto("/docs");
  await visible(page.getByRole("heading", { name: /POST \/v1\/bookings$/ }));
  await accessible(page);
}

// ---------------------------------------------------------------- by keyboard alone

async function byKeyboardAlone(page) {
  const press = (key) => page.keyboard.press(key);

  step("keyboard: the first stop leads past the navigation");
  await page.goto("/");
  await page.locator("#specialty option").nth(1).waitFor({ state: "attached" });
  await press("Tab");
  assert.equal(await focused(page, "className"), "skip");
  await press("Enter");
  assert.equal(await focused(page, "id"), "main");

  step("keyboard: a city is chosen from the list");
  await tabTo(page, "#place");
  await page.keyboard.type("Berli");
  await visible(page.getByRole("option", { name: /Berlin/ }));
  await press("ArrowDown");
  await press("Enter");
  assert.equal(await page.locator("#place").inputValue(), "Berlin, Germany");

  step("keyboard: a specialty is chosen, and the answer has the focus");
  await tabTo(page, "#specialty");
  const count = await page.locator("#specialty option").count();
  for (let tried = 1; tried < count; tried += 1) {
    await press("ArrowDown");
    await tabTo(page, "#search .primary");
    await press("Enter");
    await answered(page);
    assert.equal(await focused(page, "id"), "results-title");
    if (await page.locator(".result time").count()) break;
    await tabTo(page, "#specialty", "Shift+Tab");
  }
  await accessible(page);

  step("keyboard: a practitioner is opened");
  await tabTo(page, ".result a");
  await press("Enter");
  await visible(page.locator(".hour").first());
  assert.equal(await focused(page, "tagName"), "H1");
  await visible(page.getByText("Your own clock shows another time."));
  await accessible(page);

  step("keyboard: another day is chosen by arrow keys");
  await tabTo(page, "input[name=chosen-day]");
  const firstDay = await focused(page, "value");
  await press("ArrowRight");
  const secondDay = await focused(page, "value");
  assert.notEqual(secondDay, firstDay, "the arrow must move to the next free day");

  step("keyboard: an hour is booked, after signing in");
  await tabTo(page, ".hour");
  await press("Enter");
  await visible(page.getByRole("heading", { name: "Book this hour?" }));
  assert.match(await focused(page, "textContent"), /Book this hour/);
  await press("Enter");
  await visible(page.getByLabel("Name", { exact: true }));
  await tabTo(page, "#sign-in-name");
  await page.keyboard.type("Kai Board");
  await press("Tab");
  await page.keyboard.type(`kai.board.${run}@example.org`);
  await press("Enter");
  await visible(page.getByRole("heading", { name: "You are booked." }));
  await accessible(page);
  await tabTo(page, "#confirm a");
  await press("Enter");

  step("keyboard: it is cancelled");
  await visible(coming(page).first());
  assert.equal(await focused(page, "tagName"), "H1");
  await accessible(page);
  await tabTo(page, ".ticket .dangerous");
  await press("Enter");
  await visible(page.getByRole("heading", { name: "Cancel this appointment?" }));
  assert.equal(await focused(page, "textContent"), "Keep it", "the harmless choice has the focus");
  await press("Tab");
  await press("Enter");
  await visible(page.getByText(/Your appointment of .* is cancelled\./).first());

  step("keyboard: Escape closes a dialog and gives the focus back");
  await tabTo(page, "#account", "Shift+Tab");
  await press("Enter");
  await tabTo(page, "#account");
  await press("Enter");
  await visible(page.getByRole("heading", { name: "Sign in", exact: true }));
  await press("Escape");
  await page.locator("#sign-in").waitFor({ state: "hidden" });
  assert.equal(await focused(page, "id"), "account");
}

// ---------------------------------------------------------------- on a phone

async function onAPhone(page) {
  step("phone: nothing is wider than the screen");
  await page.goto("/");
  await fits(page);
  await page.getByRole("combobox", { name: "Place" }).fill("Berlin");
  await page.getByRole("option", { name: /Berlin/ }).tap();
  await searchTheFirstThatAnswers(page);
  await fits(page);
  await openTheFirstFree(page);
  await fits(page);
  await page.screenshot({ path: join(screenshotDir, "page-phone.png") });

  step("phone: a slot that somebody else takes meanwhile is told, with others to choose");
  const wished = await chooseHour(page);
  await fits(page);
  await bookAsSomebodyElse(page, wished.slot);
  await page.getByRole("button", { name: "Book this hour" }).tap();
  await signIn(page, "Pia Phone");
  await visible(page.getByRole("heading", { name: "Somebody was faster." }));
  await fits(page);
  const other = page.locator("#confirm .hour").first();
  const otherSlot = await other.getAttribute("data-slot");
  assert.notEqual(otherSlot, wished.slot);
  await other.tap();
  await page.getByRole("button", { name: "Book this hour" }).tap();
  await visible(page.getByRole("heading", { name: "You are booked." }));
  await page.getByRole("link", { name: "See my appointments" }).tap();
  await visible(coming(page).first());
  await fits(page);

  step("phone: it is cancelled");
  await page.getByRole("button", { name: /^Cancel: / }).tap();
  await fits(page);
  await page.getByRole("button", { name: "Cancel the appointment" }).tap();
  await visible(page.getByText(/Your appointment of .* is cancelled\./).first());
  step("phone: whoever works at two places is found at both");
  await goesToTheOtherPlace(page);
  await fits(page);
  await page.goto("/docs");
  await visible(page.getByRole("heading", { name: /POST \/v1\/bookings$/ }));
  await fits(page);
}

// ---------------------------------------------------------------- the files themselves

async function filesBehave(request) {
  const first = await request.get("/style.css");
  assert.equal(first.status(), 200);
  const { etag, "content-type": type, ...headers } = first.headers();
  assert.equal(type, "text/css; charset=utf-8");
  assert.match(headers["content-security-policy"], /^default-src 'self';/);
  assert.equal(headers["x-content-type-options"], "nosniff");
  const again = await request.get("/style.css", { headers: { "if-none-match": `"other", W/${etag}` } });
  assert.deepEqual([again.status(), (await again.body()).length], [304, 0]);
  const changed = await request.get("/style.css", { headers: { "if-none-match": '"other"' } });
  assert.equal(changed.status(), 200);
  const head = await request.head("/style.css");
  assert.deepEqual([head.status(), head.headers().etag], [200, etag]);
  const posted = await request.post("/style.css", { data: {} });
  assert.deepEqual([posted.status(), posted.headers().allow], [405, "GET, HEAD"]);
  const nowhere = await request.get("/nowhere");
  assert.deepEqual([nowhere.status(), nowhere.headers()["content-type"]], [404, "text/html; charset=utf-8"]);
  const noOperation = await request.get("/v1/nowhere");
  assert.equal(noOperation.status(), 404);
  assert.equal(noOperation.headers()["content-type"], "application/problem+json");
}

// ---------------------------------------------------------------- the steps they share

/** Searches each specialty in turn until one has somebody free; returns its label. */
async function searchTheFirstThatAnswers(page) {
  const select = page.getByLabel("Specialty");
  await select.locator("option").nth(1).waitFor({ state: "attached" });
  const labels = (await select.locator("option").allInnerTexts()).slice(1);
  // The most common one first.
  labels.sort((a, b) => (b === "General practice") - (a === "General practice"));
  for (const label of labels) {
    await select.selectOption({ label });
    await page.getByRole("button", { name: "Search", exact: true }).click();
    await answered(page);
    if (await page.locator(".result time").count()) return label;
  }
  throw new Error(`nobody around Berlin has a free hour, in any of: ${labels.join(", ")}`);
}

/** Waits until the answer to the search in the address is drawn. */
async function answered(page) {
  await page.waitForFunction(() => location.hash.includes("specialty="
      + document.querySelector("#specialty").value)
    && location.hash.includes(document.querySelector("#day").value)
    && document.querySelector("#results").getAttribute("aria-busy") === "false"
    && document.querySelector("#results").hasChildNodes());
  const problem = page.locator("#results .problem");
  if (await problem.count()) throw new Error(`the search failed: ${await problem.innerText()}`);
  await visible(page.locator("#results-title"));
}

/** Whoever works at several places can be booked at the others: each has a page. */
async function goesToTheOtherPlace(page) {
  await page.goto(`/#/practitioner/${ofTwoPlaces}`);
  await visible(page.getByRole("heading", { level: 1, name: "Dr. Here" }));
  await visible(page.locator(".hour").first());
  await accessible(page);
  await page.locator(".places").getByRole("link", { name: /Praxis am Markt/ }).click();
  await visible(page.getByRole("heading", { level: 1, name: "Dr. There" }));
  await visible(page.getByText(/Asia\/Kolkata/).first());
}

async function openTheFirstFree(page) {
  const link = page.locator(".result", { has: page.locator(".next time") }).first().getByRole("link");
  const name = await link.innerText();
  await link.click();
  await visible(page.locator(".hour").first());
  return name;
}

/** Opens the last free hour of the chosen day: far from `now`, so that it stays bookable. */
async function chooseHour(page) {
  const hour = page.locator(".hours .hour").last();
  const slot = await hour.getAttribute("data-slot");
  const time = await hour.innerText();
  await hour.click();
  await visible(page.locator("#confirm .summary").getByText(time));
  return { slot, time };
}

async function signIn(page, name) {
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("E-mail").fill(`${name.toLowerCase().replace(" ", ".")}.${run}@example.org`);
  await page.locator("#sign-in").getByRole("button", { name: "Sign in" }).click();
  await page.locator("#sign-in").waitFor({ state: "hidden" });
}

async function bookAsSomebodyElse(page, slot) {
  const practitioner_id = page.url().match(/practitioner\/([^?]+)/)[1];
  const issued = await page.request.post("/dev/token", {
    data: { sub: `somebody-else-${run}`, roles: ["patient"], name: "Somebody Else", email: "else@example.org" },
  });
  assert.equal(issued.status(), 200, "the development issuer must give a token");
  const answer = await page.request.post("/v1/bookings", {
    headers: {
      authorization: `Bearer ${(await issued.json()).token}`,
      "idempotency-key": randomUUID(),
    },
    data: { practitioner_id, slot_start: slot },
  });
  assert.equal(answer.status(), 201, await answer.text());
}

/** As the waitlist does, when something comes free. */
async function holdForThem(page, practitioner_id, slot_start) {
  const token = await page.evaluate(() => sessionStorage.getItem("praxis-token"));
  const answer = await page.request.post("/v1/holds", {
    headers: { authorization: `Bearer ${token}` },
    data: { practitioner_id, slot_start },
  });
  assert.equal(answer.status(), 201, await answer.text());
}

/** The link that cancels, in the last mail to an address; waits until there is one. */
async function linkInMail(page, address) {
  const until = Date.now() + STEP_WAIT_MS;
  while (Date.now() < until) {
    const mails = await (await page.request.get("/dev/mail.json")).json();
    const texts = mails.filter((mail) => mail.to.includes(address)).map((mail) => mail.text);
    const link = texts.join("\n").match(/\/#\/cancel\/\S+/);
    if (link) return link[0];
    await page.waitForTimeout(MAIL_EVERY_MS);
  }
  assert.fail(`no mail to ${address}`);
}

/** The read model follows the booking by an event; waits until it has. */
async function goneFromAvailability(page, practitioner, slot) {
  await page.waitForFunction(async ([id, slot]) => {
    const date = slot.slice(0, 10);
    const answer = await fetch(`/v1/practitioners/${id}/availability?from=${date}&to=${date}`);
    const { days } = await answer.json();
    return !days.some((day) => day.slots.some((free) => free.slot_start === slot));
  }, [practitioner, slot]);
}

function coming(page) {
  return page.locator(".ticket.confirmed");
}

async function visible(locator) {
  await locator.waitFor({ state: "visible" });
}

async function tabTo(page, selector, key = "Tab") {
  for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${selector} is not reached by ${key}`);
}

function focused(page, property) {
  return page.evaluate((name) => document.activeElement[name], property);
}

async function fits(page) {
  const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(widths[0] <= widths[1] && widths[1] <= PHONE.width, `scrolls sideways: ${widths} in ${page.url()}`);
}

/** No value that was meant to be words. */
async function worded(page) {
  const text = await page.locator("main").innerText();
  assert.doesNotMatch(text, /\b(null|undefined|NaN|Invalid Date)\b|\[object/, `in ${page.url()}`);
}

/** No finding of axe-core, contrast included. */
async function accessible(page) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => (await globalThis.axe.run()).violations.map((found) =>
    `${found.id}: ${found.help}: ${found.nodes.map((node) => node.target.join(" ")).join(" | ")}`));
  assert.deepEqual(violations, [], "axe-core found barriers");
}
