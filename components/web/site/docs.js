// Renders the OpenAPI description for people: operations by tag, with examples that can be pasted.

import { byId, h } from "./dom.js";

const METHODS = ["get", "post", "put", "delete"];

const operations = byId("operations");
try {
  const answer = await fetch("/v1/openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  draw(await answer.json());
} catch (error) {
  operations.append(h("p", { class: "problem shown", role: "alert" },
    `The description cannot be shown: ${error.message}.`));
}
operations.setAttribute("aria-busy", "false");
// The element that the address names has only now come to be.
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();

function draw(description) {
  const resolve = (value) => value?.$ref
    ? resolve(value.$ref.slice(2).split("/").reduce((at, key) => at[key], description))
    : value;
  const all = Object.entries(description.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      path, method, ...item[method],
      parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map(resolve),
    })));

  operations.append(
    h("p", {}, prose(description.info.description)),
    h("p", {}, "The description itself: ", h("a", { href: "/v1/openapi.json" }, "/v1/openapi.json"),
      ` (OpenAPI ${description.openapi}).`));
  for (const tag of description.tags) {
    const tagged = all.filter((operation) => operation.tags.includes(tag.name));
    byId("contents").append(h("h2", {}, tag.name), ...tagged.map((operation) =>
      h("a", { href: `#${operation.operationId}` }, operation.summary)));
    operations.append(
      h("div", { class: "tag-head" }, h("h2", {}, tag.name), h("p", { class: "hint" }, tag.description)),
      ...tagged.map((operation) => article(operation, resolve)));
  }
}

function article(operation, resolve) {
  const body = resolve(operation.requestBody);
  return h("article", { class: "plate operation", id: operation.operationId },
    h("h3", {}, h("span", { class: `method ${operation.method}` }, operation.method.toUpperCase()), " ",
      h("code", {}, operation.path)),
    h("p", { class: "lead" }, operation.summary),
    h("p", {}, prose(operation.description)),
    operation.security.length ? h("p", { class: "hint" }, "Needs a token.") : h("p", { class: "hint" }, "Public."),
    operation.parameters.length ? parameters(operation.parameters, resolve) : null,
    body ? fields(body, resolve) : null,
    h("h4", {}, "Try it"),
    code(curl(operation, body)),
    h("h4", {}, "Answers"),
    h("div", { class: "answers" }, Object.entries(operation.responses).map(([status, response]) =>
      answer(status, resolve(response)))));
}

function parameters(list, resolve) {
  return [
    h("h4", {}, "Parameters"),
    h("dl", { class: "parameters" }, list.map((parameter) => entry(
      parameter.name, [parameter.in, parameter.required ? "required" : "optional"],
      parameter.schema, parameter.description, resolve))),
  ];
}

function fields(body, resolve) {
  const [type, content] = Object.entries(body.content)[0];
  const schema = resolve(content.schema);
  const required = schema.required ?? [];
  return [
    h("h4", {}, "Body: ", h("code", {}, type)),
    schema.properties
      ? h("dl", { class: "parameters" }, Object.entries(schema.properties).map(([name, field]) => entry(
        name, [required.includes(name) ? "required" : "optional"], field, field.description, resolve)))
      : h("p", {}, prose(schema.description ?? "")),
  ];
}

function entry(name, marks, schema, description, resolve) {
  return h("div", {},
    h("dt", {}, h("code", {}, name)),
    h("dd", {}, description ? prose(description) : null,
      h("p", {}, [...marks, ...limits(resolve(schema))].join(" · "))));
}

function limits(schema) {
  const said = [[schema.type].flat().filter(Boolean).join(" or ")];
  if (schema.format) said.push(schema.format);
  if (schema.enum) said.push(schema.enum.join(", "));
  if (schema.minimum !== undefined) said.push(`from ${schema.minimum}`);
  if (schema.exclusiveMinimum !== undefined) said.push(`over ${schema.exclusiveMinimum}`);
  if (schema.maximum !== undefined) said.push(`to ${schema.maximum}`);
  if (schema.maxLength !== undefined) said.push(`${schema.maxLength} characters at most`);
  if (schema.maxProperties !== undefined) said.push(`${schema.maxProperties} members at most`);
  if (schema.default !== undefined) said.push(`default ${JSON.stringify(schema.default)}`);
  return said.filter(Boolean);
}

function answer(status, response) {
  const headers = Object.keys(response.headers ?? {});
  const content = Object.values(response.content ?? {})[0];
  const examples = content?.examples
    ? Object.values(content.examples).map((example) => example.value)
    : [content?.example].filter((example) => example !== undefined);
  return h("details", {},
    h("summary", {}, h("b", {}, status), " ", prose(response.description)),
    headers.length ? h("p", { class: "hint" }, `Headers: ${headers.join(", ")}`) : null,
    examples.length ? examples.map((example) => code(written(example))) : h("p", { class: "hint" }, "No body."));
}

function curl(operation, body) {
  const named = Object.groupBy(
    operation.parameters.filter((one) => one.required || one.example !== undefined), (one) => one.in);
  let path = operation.path;
  for (const one of named.path ?? []) path = path.replace(`{${one.name}}`, one.example);
  const query = new URLSearchParams((named.query ?? []).map((one) => [one.name, one.example]));
  const parts = [`curl "${location.origin}${path}${query.size ? `?${query}` : ""}"`];
  if (operation.method !== "get" && !(operation.method === "post" && body)) {
    parts[0] = parts[0].replace("curl", `curl -X ${operation.method.toUpperCase()}`);
  }
  if (operation.security.length) parts.push('-H "Authorization: Bearer $TOKEN"');
  for (const one of named.header ?? []) parts.push(`-H '${one.name}: ${one.example}'`);
  if (body) {
    const [type, content] = Object.entries(body.content)[0];
    parts.push(`-H 'Content-Type: ${type}'`);
    parts.push(`--data-binary '${typeof content.example === "string" ? content.example.trim() : JSON.stringify(content.example)}'`);
  }
  return parts.join(" \\\n  ");
}

function written(example) {
  return typeof example === "string" ? example : JSON.stringify(example, null, 2);
}

function code(text) {
  // Reached by keyboard, since it may scroll.
  return h("pre", { tabindex: "0" }, h("code", {}, text));
}

/** Text with `code` in it. */
function prose(text) {
  return h("span", {}, text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part)));
}
