'use strict';
/**
 * What Prometheus answers, in one object: {taken, from, step, ranges, instants}. page.py writes the same into a snapshot.
 * Each range is a list of {metric, values: [[time, "value"], …]}, each instant of {metric, value: [time, "value"]}.
 */
const answers = {
  async one(url, path, parameters) {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = await response.json();
    if (answer.status !== 'success') throw new Error(`${answer.errorType}: ${answer.error}`);
    return answer.data.result;
  },

  async ask(url, queries, minutes) {
    const taken = Date.now() / 1000,
      from = taken - 60 * minutes;
    // Not finer than it is scraped, not more points than pixels.
    const step = Math.max(5, Math.ceil((60 * minutes) / 200));
    const all = async (set, ask) =>
      Object.fromEntries(await Promise.all(Object.entries(set).map(async ([name, query]) => [name, await ask(query)])));
    const [ranges, instants] = await Promise.all([
      all(queries.ranges, query => answers.one(url, 'query_range', {query, start: from, end: taken, step})),
      all(queries.instants, query => answers.one(url, 'query', {query, time: taken})),
    ]);
    return {taken, from, step, ranges, instants};
  },

  /** Of a range: the values of the series with these labels, as numbers. */
  values(result, labels) {
    const found = result.find(({metric}) => Object.entries(labels).every(([key, value]) => metric[key] === value));
    return found ? found.values.map(([time, value]) => [time, Number(value)]) : [];
  },

  /** Of an instant: the number of the series with these labels, or NaN. */
  value(result, labels) {
    const found = result.find(({metric}) => Object.entries(labels).every(([key, value]) => metric[key] === value));
    return found ? Number(found.value[1]) : NaN;
  },

  last(values) {
    return values.length ? values[values.length - 1][1] : NaN;
  },
};
