// Names of things, as people read them.

const names = new Intl.DisplayNames("en-GB", { type: "language", fallback: "code" });

/** `de` is `German`; a tag without a name is its own. */
export function languageName(tag) {
  try {
    return names.of(tag);
  } catch {
    return tag;
  }
}
