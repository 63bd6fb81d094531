// Who is signed in. The token lives as long as the tab.

import { byId } from "./dom.js";

const STORED_AS = "praxis-token";

class Session extends EventTarget {
  get token() {
    return sessionStorage.getItem(STORED_AS);
  }

  /** The name to show, from the token's own claims. */
  get name() {
    const claims = claimsOf(this.token);
    return claims?.name ?? claims?.email ?? claims?.sub ?? null;
  }

  begin(token) {
    sessionStorage.setItem(STORED_AS, token);
    this.dispatchEvent(new Event("change"));
  }

  end() {
    if (!this.token) return;
    sessionStorage.removeItem(STORED_AS);
    this.dispatchEvent(new Event("change"));
  }
}

export const session = new Session();

/**
 * Resolves to true once somebody is signed in, to false if they would rather not.
 * @param {string} reason why signing in is asked for
 */
export function ensureSignedIn(reason) {
  return session.token ? Promise.resolve(true) : signIn(reason);
}

/** Opens the dialog. */
export function signIn(reason = "") {
  const dialog = byId("sign-in");
  const form = dialog.querySelector("form");
  const problem = byId("sign-in-problem");
  byId("sign-in-reason").textContent = reason;
  problem.replaceChildren();

  return new Promise((resolve) => {
    const done = new AbortController();
    const { signal } = done;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const trouble = await tryToSignIn();
      problem.classList.toggle("shown", Boolean(trouble));
      problem.textContent = trouble ?? "";
      if (!trouble) dialog.close("signed-in");
    }, { signal });
    byId("sign-in-cancel").addEventListener("click", () => dialog.close(""), { signal });
    dialog.addEventListener("close", () => {
      done.abort();
      resolve(Boolean(session.token));
    }, { signal });
    dialog.returnValue = "";
    dialog.showModal();
  });
}

/** What went wrong, or null. */
async function tryToSignIn() {
  if (!byId("sign-in-token").hidden) {
    const token = byId("sign-in-jwt").value.trim().replace(/^Bearer\s+/i, "");
    if (!claimsOf(token)) return "This is not a token: it should have three parts with dots between.";
    session.begin(token);
    return null;
  }
  const name = byId("sign-in-name").value.trim();
  const email = byId("sign-in-email").value.trim();
  if (!name) {
    byId("sign-in-name").focus();
    return "Please enter a name.";
  }
  if (email && !/^\S+@\S+$/.test(email)) {
    byId("sign-in-email").focus();
    return "This e-mail address does not look complete.";
  }
  return developmentToken(name, email);
}

async function developmentToken(name, email) {
  const claims = { sub: subjectFor(email || name), roles: ["patient"], name };
  if (email) claims.email = email;
  try {
    const response = await fetch("/dev/token", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(claims),
    });
    if (response.status === 404) {
      byId("sign-in-development").hidden = true;
      byId("sign-in-token").hidden = false;
      byId("sign-in-jwt").focus();
      return "This server gives out no tokens. Paste one, please.";
    }
    if (!response.ok) return `The server gave no token (it answered ${response.status}).`;
    session.begin((await response.json()).token);
    return null;
  } catch {
    return "The server cannot be reached. Check your connection, then try again.";
  }
}

/** The same person gets the same account again. */
function subjectFor(text) {
  const plain = text.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return plain.replace(/^-|-$/g, "") || "patient";
}

function claimsOf(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
