// Completion of fields and values in the search box: a combobox with a list, as the ARIA Authoring Practices have it.
// The server says what can stand where the cursor is (`dashboards/console/completion.py`); nothing is chosen unless somebody chooses it.
"use strict";
{
  const WAIT_MS = 120; // a pause between two keys
  const box = document.querySelector("[data-completion]");
  const list = made("ul", { id: "choices", class: "choices", role: "listbox", "aria-label": "Completions", hidden: "" });
  const said = made("p", { class: "hidden", role: "status" });
  let answer = null; // what the list shows, and where in the text a choice goes
  let active = -1;
  let asking = null;
  let timer = 0;

  // Places are characters for the server, and UTF-16 code units here.
  const characters = (text) => [...text].length;
  const units = (text, count) => [...text].slice(0, count).join("").length;

  function close() {
    clearTimeout(timer);
    asking?.abort();
    answer = null;
    list.hidden = true;
    box.setAttribute("aria-expanded", "false");
    point(-1);
  }

  function point(index) {
    active = index;
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    const option = list.children[index];
    if (!option) return box.removeAttribute("aria-activedescendant");
    box.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  function say(text) {
    said.textContent = text;
  }

  function show(found) {
    list.replaceChildren(
      ...found.choices.map((choice, index) => {
        const option = made("li", { id: `choice-${index}`, role: "option", "aria-selected": "false" });
        option.append(made("span", { class: "mono" }, ...isolated(choice.label)), " ", made("small", {}, choice.note));
        return option;
      }),
    );
    answer = found;
    list.hidden = false;
    box.setAttribute("aria-expanded", "true");
    point(-1);
    say(`${found.choices.length} ${found.choices.length === 1 ? "completion" : "completions"}; arrow down to choose`);
  }

  async function ask() {
    clearTimeout(timer);
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    const url = new URL(box.dataset.completion, location.href);
    url.searchParams.set("q", box.value);
    url.searchParams.set("at", characters(box.value.slice(0, box.selectionStart ?? box.value.length)));
    try {
      const response = await fetch(url, { signal, headers: { Accept: "application/json" } });
      if (!response.ok || signedOut(response)) throw new Error(`answered ${response.status}`);
      const found = await response.json();
      if (signal.aborted) return;
      if (found.choices.length) return show(found);
      close();
      say("No completions");
    } catch {
      if (signal.aborted) return;
      close();
      say("Completions can't be had just now");
    }
  }

  function take(index) {
    const { start, end, choices } = answer;
    const before = box.value.slice(0, units(box.value, start));
    const { insert } = choices[index];
    const rest = box.value.slice(units(box.value, end));
    box.value = before + insert + (insert.endsWith(" ") ? rest.trimStart() : rest);
    const caret = before.length + insert.length;
    box.setSelectionRange(caret, caret);
    close();
    if (!insert.endsWith(" ")) ask(); // a field: its values come next
  }

  function key(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const count = answer?.choices.length ?? 0;
    if (event.key === "ArrowDown" && !count) {
      event.preventDefault();
      ask();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count) {
      event.preventDefault();
      const down = event.key === "ArrowDown";
      // Before the first and behind the last is the box itself, where nothing is chosen.
      point(active < 0 ? (down ? 0 : count - 1) : down ? (active + 2) % (count + 1) - 1 : active - 1);
    } else if ((event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) && active >= 0) {
      event.preventDefault();
      take(active);
    } else if (event.key === "Escape" && count) {
      event.preventDefault();
      close();
    }
  }

  if (box) {
    box.type = "text"; // a search box can't be a combobox
    for (const [name, value] of Object.entries({
      role: "combobox",
      enterkeyhint: "search",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": "choices",
    })) {
      box.setAttribute(name, value);
    }
    box.parentElement.append(list, said);
    box.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, WAIT_MS);
    });
    box.addEventListener("keydown", key);
    box.addEventListener("blur", close);
    box.form.addEventListener("submit", close);
    list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the box
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) take([...list.children].indexOf(option));
    });
  }
}
