// While work goes on, the page is loaded again by itself. Without scripts a refresh in the head does the same.
"use strict";

if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), 1000);
