'use strict';
/** `given`: {queries, prometheus, data}. With data it is a snapshot and asks nobody; without, it asks Prometheus every five seconds. */
(() => {
  const given = JSON.parse(document.getElementById('given').textContent),
    options = new URLSearchParams(location.search);
  const prometheus = options.get('prometheus') || given.prometheus,
    minutes = Number(options.get('minutes')) || 15;
  let charts = [];

  const root = document.documentElement,
    button = document.getElementById('theme');
  const setTheme = theme => {
    root.dataset.theme = theme;
    button.textContent = theme === 'dark' ? 'Light' : 'Dark';
  };
  button.onclick = () => setTheme(root.dataset.theme === 'dark' ? 'light' : 'dark');
  setTheme(options.get('theme') || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'));

  const source = document.getElementById('source'),
    trouble = document.getElementById('trouble');
  const show = data => {
    charts = view.all(data);
    source.textContent = given.data
      ? `as it was on ${new Date(1000 * data.taken).toISOString().slice(0, 19).replace('T', ' ')} UTC`
      : `live from ${prometheus}, ${format.clock(data.taken)} UTC`;
  };
  let width = 0;
  new ResizeObserver(() => {
    if (root.clientWidth !== width) {
      width = root.clientWidth;
      charts.forEach(chart => chart.draw());
    }
  }).observe(root);

  if (given.data) return show(given.data);
  if (!prometheus) {
    trouble.hidden = false;
    trouble.textContent = 'Which Prometheus? Open this page with ?prometheus=http://HOST:PORT';
    return;
  }
  const round = async () => {
    try {
      show(await answers.ask(prometheus, given.queries, minutes));
      trouble.hidden = true;
    } catch (error) {
      trouble.hidden = false;
      trouble.textContent = `No answer from ${prometheus}: ${error.message}. What is shown is what it was.`;
    }
    setTimeout(round, 5000);
  };
  round();
})();
