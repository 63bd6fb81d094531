// Talking to the interface. Every failure becomes a Problem: title, detail, and what can be done.

import { session } from "./session.js";

const ANSWER_WAIT_MS = 20_000;

/** An RFC 9457 problem, or a failure to reach the server told in the same form. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.title);
    this.status = status;
    this.type = body.type ?? "about:blank";
    this.title = sentence(body.title ?? `The server answered ${status}`);
    this.detail = sentence(body.detail ?? "");
    this.errors = body.errors ?? [];
    this.alternatives = (body.alternatives ?? []).map((slot) =>
      typeof slot === "string" ? slot : slot.slot_start);
  }

  is(kind) {
    return this.type.endsWith(`/problems/${kind}`);
  }
}

/**
 * @param {string} path below the origin
 * @param {{query?: object, body?: object, headers?: object, signal?: AbortSignal}} [options]
 * @returns {Promise<object>} the answer's JSON
 * @throws {Problem}
 */
export async function request(method, path, { query, body, headers = {}, signal } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const all = { accept: "application/json, application/problem+json", ...headers };
  if (session.token) all.authorization = `Bearer ${session.token}`;
  if (body !== undefined) all["content-type"] = "application/json";

  const response = await reach(url, {
    method,
    headers: all,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: signal
      ? AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WAIT_MS)])
      : AbortSignal.timeout(ANSWER_WAIT_MS),
    cache: "no-store",
  });
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  if (response.status === 401) session.end();
  throw new Problem(response.status, answer ?? {
    title: "The server could not answer",
    detail: `It said ${response.status}. Please try again in a moment.`,
  });
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, {
      type: "/problems/unreachable",
      title: "The server cannot be reached",
      detail: "Check your connection, then try again. Nothing is booked twice by trying again.",
    });
  }
}

/** A key under which a change is made once, however often it is sent. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Browsers give randomUUID to secure origins only; a test on a plain address has this.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0")).join("");
}

const practitioners = new Map();

/** A practitioner's public profile, asked for once. */
export function practitioner(id) {
  if (!practitioners.has(id)) {
    const asked = request("GET", `/v1/practitioners/${encodeURIComponent(id)}`);
    asked.catch(() => practitioners.delete(id));
    practitioners.set(id, asked);
  }
  return practitioners.get(id);
}

/** Where a practitioner is found, in one line; an address often names the city already. */
export function whereabouts({ practice, address, city }) {
  const named = address && city && address.includes(city);
  return [practice, address, named ? null : city].filter(Boolean).join(", ");
}

let specialtyList;

/** The specialties: a map from key to label, asked for once. */
export function specialties() {
  specialtyList ??= request("GET", "/v1/specialties")
    .then((answer) => new Map(answer.items.map((item) => [item.specialty, item.label])));
  specialtyList.catch(() => { specialtyList = undefined; });
  return specialtyList;
}

/** The interface writes errors in lower case and without a full stop; people read sentences. */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
