// Text of events, as the server sends it to scripts: text and signs for what can't be seen, in turns. It only ever becomes text nodes.
"use strict";

/** An element with this class, attributes and children; children are elements or text. */
function made(name, { class: className, ...attributes } = {}, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** What `isolated` makes on the server: a value that turns nothing around it, and says how long it is if it was cut. */
function isolated({ parts, cut }) {
  const value = made("bdi", {}, ...parts.map((part, turn) => (turn % 2 ? made("i", {}, part) : part)));
  if (!cut) return [value];
  value.append("…");
  return [value, " ", made("small", { class: "cut" }, `${cut.toLocaleString("en")} characters`)];
}

/** Whether what was fetched is not what was asked for, since the session has ended: then the sign-in page answers. */
function signedOut(response) {
  return response.redirected || response.status === 401;
}
