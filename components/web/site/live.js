// What is taken and what comes free while a page is open: server-sent events.

/** When to look again after a refusal; up to twice as long, so that not all come at once. */
const COME_BACK_MS = 30_000;

/**
 * Listens while the page is seen: a tab in the background takes no place from others.
 * @param {string} address the stream
 * @param {(days: object[]) => void} changed told the days of each event
 * @param {() => void} lost told a while after the stream was refused; what then is the caller's affair
 */
export class Watch {
  constructor(address, changed, lost) {
    this.address = address;
    this.changed = changed;
    this.lost = lost;
    this.seen = () => (document.hidden ? this.rest() : this.listen());
    document.addEventListener("visibilitychange", this.seen);
    this.seen();
  }

  listen() {
    this.rest();
    this.source = new EventSource(this.address);
    this.source.addEventListener("availability", (event) => this.changed(JSON.parse(event.data).days));
    this.source.addEventListener("error", () => {
      // Else the browser comes back by itself.
      if (this.source?.readyState !== EventSource.CLOSED) return;
      this.waiting = setTimeout(() => {
        this.close();
        this.lost();
      }, COME_BACK_MS * (1 + Math.random()));
    });
  }

  rest() {
    clearTimeout(this.waiting);
    this.source?.close();
    this.source = null;
  }

  close() {
    document.removeEventListener("visibilitychange", this.seen);
    this.rest();
  }
}
