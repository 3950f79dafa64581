'use strict';
/** Figures as people read them. All times are UTC, as plannerctl prints them. */
const format = {
  /** 1234567 -> "1.23M". Three digits; units stand in titles. */
  number(value) {
    if (!Number.isFinite(value)) return '–';
    const steps = [
      [1e12, 'T'],
      [1e9, 'G'],
      [1e6, 'M'],
      [1e3, 'k'],
    ];
    const [size, letter] = steps.find(([least]) => Math.abs(value) >= least * 0.9995) || [1, ''];
    const scaled = value / size;
    return (
      (Number.isInteger(scaled) && Math.abs(scaled) < 1000
        ? String(scaled)
        : scaled
            .toPrecision(3)
            .replace(/(\.\d*?)0+$/, '$1')
            .replace(/\.$/, '')) + letter
    );
  },
  percent(ratio, digits = 0) {
    return Number.isFinite(ratio) ? `${(100 * ratio).toFixed(digits)} %` : '–';
  },
  clock(seconds) {
    return new Date(1000 * seconds).toISOString().slice(11, 19);
  },
  minute(seconds) {
    return new Date(1000 * seconds).toISOString().slice(11, 16);
  },
  /** "2026-01-09 13:20" where it is another day than `beside`. */
  moment(seconds, beside) {
    if (!Number.isFinite(seconds)) return '–';
    const text = new Date(1000 * seconds).toISOString();
    return text.slice(0, 10) === new Date(1000 * beside).toISOString().slice(0, 10)
      ? text.slice(11, 19)
      : text.slice(0, 16).replace('T', ' ');
  },
  /** "+1:05", "−0:20", "+2 d 3 h": later is positive. */
  delay(seconds) {
    if (!Number.isFinite(seconds)) return '–';
    const sign = seconds < 0 ? '−' : '+',
      all = Math.round(Math.abs(seconds));
    if (all >= 86400) return `${sign}${Math.floor(all / 86400)} d ${Math.floor((all % 86400) / 3600)} h`;
    if (all >= 3600) return `${sign}${Math.floor(all / 3600)} h ${Math.floor((all % 3600) / 60)} min`;
    return `${sign}${Math.floor(all / 60)}:${String(all % 60).padStart(2, '0')} min`;
  },
  hours(seconds) {
    return Number.isFinite(seconds) ? (seconds / 3600 >= 1000 ? format.number(seconds / 3600) : (seconds / 3600).toFixed(2)) : '–';
  },
  money(value, currency) {
    return Number.isFinite(value) ? `${value >= 1000 ? format.number(value) : value.toFixed(2)} ${currency}` : '–';
  },
};
