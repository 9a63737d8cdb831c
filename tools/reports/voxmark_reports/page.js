// Draws the charts one after another, so that the page can be read at once. Printed, they are scaled
// by page.css.
"use strict";
(async () => {
  const options = {
    ast: true, // expressions are interpreted: the page's policy forbids eval
    renderer: "svg", // text and axes take the page's colour, light, dark or printed
    mode: "vega-lite",
    actions: { export: true, source: false, compiled: false, editor: false },
  };
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const chart = figure.querySelector(".chart");
    try {
      const spec = JSON.parse(figure.querySelector("script").textContent);
      await vegaEmbed(chart, spec, { ...options, downloadFileName: figure.dataset.chart });
    } catch (error) {
      chart.textContent = "This chart could not be drawn: " + error.message;
      console.error(figure.dataset.chart, error);
    }
    await new Promise((done) => setTimeout(done, 0));
  }
  document.documentElement.dataset.charts = "drawn";
})();
