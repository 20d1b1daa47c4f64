"use strict";

const system = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

Redoc.init(
  "/openapi.json",
  {
    // The bar above the page stays in view; what is scrolled to must not hide under it.
    scrollYOffset: ".docs-bar",
    theme: {
      colors: { primary: { main: "#4f46e5" } },
      typography: {
        fontFamily: system,
        fontSize: "15px",
        headings: { fontFamily: system, fontWeight: "650" },
      },
    },
  },
  document.getElementById("redoc"),
);
