// The histogram: dragging over it, or walking along its bars with Shift, chooses a range of time.
"use strict";
{
  const THRESHOLD_PX = 5; // less is a click on a bar
  const SVG = "http://www.w3.org/2000/svg";
  const chart = document.querySelector(".chart");
  const picture = chart?.querySelector("svg");
  const bars = [...document.querySelectorAll(".chart a")];
  const said = document.querySelector("[data-chart-chosen]");
  let chosen = null; // { since, until } in epoch milliseconds

  const start = Number(chart?.dataset.start);
  const length = Number(chart?.dataset.length);
  const number = Number(chart?.dataset.number);
  const iso = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");
  const words = (ms) => iso(ms).replace("T", " ");
  const times = bars.map((bar) => {
    const asked = new URL(bar.href.baseVal, location.href).searchParams;
    return { since: Date.parse(asked.get("since")), until: Date.parse(asked.get("until")), count: Number(bar.dataset.count) };
  });

  const veil = document.createElementNS(SVG, "rect");
  veil.setAttribute("class", "veil");
  veil.setAttribute("y", "0");
  veil.setAttribute("height", "100%");

  function choose(since, until) {
    chosen = { since, until };
    const width = picture.viewBox.baseVal.width;
    const scale = width / (number * length);
    veil.setAttribute("x", (since - start) * scale);
    veil.setAttribute("width", (until - since) * scale);
    picture.append(veil);
    const count = times.filter((bar) => bar.since >= since && bar.until <= until).reduce((sum, bar) => sum + bar.count, 0);
    return `${words(since)} until before ${words(until)}: ${count.toLocaleString("en")} ${count === 1 ? "event" : "events"}`;
  }

  function drop() {
    chosen = null;
    veil.remove();
    said.textContent = "";
  }

  function narrow() {
    const url = new URL(chart.dataset.narrow, location.href);
    url.searchParams.set("since", iso(chosen.since));
    url.searchParams.set("until", iso(chosen.until));
    location.assign(url);
  }

  function draggable() {
    let from = null; // where the pointer went down, in pixels of the window
    let moved = false;

    const slot = (x) => {
      const box = picture.getBoundingClientRect();
      return Math.min(number - 1, Math.max(0, Math.floor(((x - box.left) / box.width) * number)));
    };
    const end = () => {
      from = null;
      picture.classList.remove("dragging");
    };

    picture.addEventListener("dragstart", (event) => event.preventDefault()); // bars are links, which browsers would drag away
    picture.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      from = event.clientX;
      moved = false;
    });
    picture.addEventListener("pointermove", (event) => {
      if (from === null || !event.isPrimary) return;
      if (!moved && Math.abs(event.clientX - from) < THRESHOLD_PX) return;
      if (!moved) {
        moved = true;
        picture.setPointerCapture(event.pointerId); // not before: a captured pointer clicks on nothing within
        picture.classList.add("dragging");
      }
      const [first, last] = [slot(from), slot(event.clientX)].sort((a, b) => a - b);
      said.textContent = choose(start + first * length, start + (last + 1) * length);
    });
    picture.addEventListener("pointerup", (event) => {
      if (from === null || !event.isPrimary) return;
      const go = moved && chosen;
      end();
      if (go) narrow();
    });
    picture.addEventListener("pointercancel", () => {
      if (from === null) return;
      end();
      drop();
    });
    // The click that follows a drag is none.
    picture.addEventListener(
      "click",
      (event) => {
        if (!moved) return;
        event.preventDefault();
        event.stopPropagation();
        moved = false;
      },
      true,
    );
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || from === null) return;
      end();
      drop();
    });
  }

  // One stop of the Tab key; the arrows walk along the bars, and with Shift they take along what they pass.
  function walkable() {
    let anchor = null;
    bars[bars.length - 1].setAttribute("tabindex", "0");
    bars.forEach((bar, index) =>
      bar.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "Escape" && chosen) {
          event.preventDefault();
          anchor = null;
          return drop();
        }
        if (event.key === "Enter" && chosen) {
          event.preventDefault();
          return narrow();
        }
        const to = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: bars.length - 1 }[event.key];
        const next = to === undefined ? undefined : bars[to];
        if (!next) return;
        event.preventDefault();
        bar.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
        if (!event.shiftKey) {
          anchor = null;
          return drop();
        }
        anchor ??= index;
        const [first, last] = [anchor, to].sort((a, b) => a - b);
        said.textContent = `${choose(times[first].since, times[last].until)}. Enter narrows to it, Escape drops it.`;
      }),
    );
  }

  if (bars.length) {
    document.querySelector("[data-chart-hint]").hidden = false;
    draggable();
    walkable();
  }
  window.addEventListener("pageshow", (event) => event.persisted && bars.length && drop());
}
