'use strict';
/** Axes: where ticks are, and what is shown of the values. */
const scale = {
  /** At most `count` steps of 1, 2 or 5 times a power of ten, from at or below `low` to at or above `high`. */
  ticks(low, high, count) {
    if (!(high > low)) {
      const half = Math.abs(low) * 0.1 || 1;
      low -= half;
      high += half;
    }
    const rough = (high - low) / count,
      power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= rough * 0.9999);
    const first = Math.floor(low / step + 1e-9),
      last = Math.ceil(high / step - 1e-9);
    return Array.from({length: last - first + 1}, (_, i) => Number(((first + i) * step).toPrecision(12)));
  },
  /** Round times within a range of seconds; `count` at most. */
  times(low, high, count) {
    const sizes = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];
    const step = sizes.find(size => (high - low) / size <= count) || 604800 * Math.ceil((high - low) / 604800 / count);
    const ticks = [];
    for (let time = Math.ceil(low / step) * step; time <= high; time += step) ticks.push(time);
    return {ticks, step};
  },
  /** "13:20", or "13:20:30" where minutes do not tell ticks apart, or "Jan 9" where they are days. */
  timeText(seconds, step) {
    const text = new Date(1000 * seconds).toISOString();
    if (step >= 86400) return new Date(1000 * seconds).toLocaleDateString('en-US', {month: 'short', day: 'numeric', timeZone: 'UTC'});
    return step % 60 ? text.slice(11, 19) : text.slice(11, 16);
  },
};
