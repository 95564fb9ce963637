// Conveniences only: every page works without this file.
"use strict";

// "/" goes to the search box, as on other sites.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  const box = document.querySelector("[data-slash]");
  if (event.key === "/" && box && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});

// Empty boxes are left out of the address, so that it is worth sharing.
for (const form of document.querySelectorAll('form[method="get"]')) {
  form.addEventListener("submit", () => {
    for (const input of form.querySelectorAll("input")) {
      if (!input.value.trim()) input.disabled = true;
    }
    setTimeout(() => form.querySelectorAll("input").forEach((input) => (input.disabled = false)));
  });
}

// A chart is one stop of the Tab key; the arrows walk along its bars. The log's does more: see `histogram.js`.
const bars = [...document.querySelectorAll(".chart:not([data-narrow]) a")];
if (bars.length) bars[bars.length - 1].setAttribute("tabindex", "0");
bars.forEach((bar, index) =>
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = step && bars[index + step];
    if (!next) return;
    event.preventDefault();
    bar.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  }),
);

// A form that changes something is sent once, however often its button is pressed.
for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}

// A browser may keep a page alive that one has left, whatever its headers say, and show it again as it was: also when the session is over by
// then, or somebody else's. So it is kept unseen, and asked for again when it comes back.
window.addEventListener("pagehide", (event) => (document.documentElement.hidden = event.persisted));
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
