'use strict';
/**
 * One picture over time. `spec`: title, from and to (seconds), kind of its values ("number", "percent", "time"), and series, each with a name,
 * values [[time, value], …] in order, a colour (the name of a CSS variable) and a style: "line", "dashed", or "area" (added up from below);
 * `band`: {name, colour, low, high}, two lists of values. `least` and `most` bound the axis where they are given.
 */
class Chart {
  static HEIGHT = 150;
  static MARGIN = {top: 8, right: 10, bottom: 21, left: 60};

  constructor(spec, step) {
    this.spec = spec;
    // What is missing longer than this is a gap in its line.
    this.gap = 3.5 * step;
    this.element = document.createElement('div');
    this.element.className = 'chart';
    this.element.innerHTML = '<h4></h4><ul class="legend"></ul>';
    this.element.querySelector('h4').textContent = spec.title;
    this.legend();
    this.svg = Chart.node('svg', {role: 'img', 'aria-label': spec.title, height: Chart.HEIGHT});
    this.element.append(this.svg);
  }

  static node(name, attributes, text) {
    const node = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  legend() {
    const list = this.element.querySelector('.legend');
    const add = (name, colour, style) => {
      const item = document.createElement('li'),
        mark = document.createElement('i');
      mark.className = style;
      mark.style[style === 'area' ? 'background' : 'borderColor'] = `var(--${colour})`;
      item.append(mark, name);
      list.append(item);
    };
    for (const series of this.spec.series) add(series.name, series.colour, series.style);
    if (this.spec.band) add(this.spec.band.name, this.spec.band.colour, 'area');
  }

  /** To be called once the element has its place, and whenever its width has changed. */
  draw() {
    const {top, right, bottom, left} = Chart.MARGIN;
    this.width =
      this.element.clientWidth -
      parseFloat(getComputedStyle(this.element).paddingLeft) -
      parseFloat(getComputedStyle(this.element).paddingRight);
    this.svg.setAttribute('viewBox', `0 0 ${this.width} ${Chart.HEIGHT}`);
    this.svg.replaceChildren();
    this.lines = this.stacked();
    const axis = this.valueAxis();
    this.x = time => left + ((time - this.spec.from) / (this.spec.to - this.spec.from)) * (this.width - left - right);
    this.y = value => top + ((axis.high - value) / (axis.high - axis.low)) * (Chart.HEIGHT - top - bottom);
    this.grid(axis);
    if (this.spec.band) this.area(this.spec.band.low, this.spec.band.high, this.spec.band.colour, 'band');
    for (const line of this.lines) {
      if (line.style === 'area') this.area(line.below, line.values, line.colour, 'stack');
      else this.line(line);
    }
    if (!this.lines.some(line => line.values.length)) {
      this.svg.append(
        Chart.node(
          'text',
          {class: 'empty', x: (left + this.width - right) / 2, y: Chart.HEIGHT / 2, 'text-anchor': 'middle'},
          'nothing reported yet',
        ),
      );
    }
    this.hover();
  }

  /** Series of style "area" lie on each other; the others are as they are. */
  stacked() {
    const sums = new Map();
    return this.spec.series.map(series => {
      if (series.style !== 'area') return series;
      const below = series.values.map(([time]) => [time, sums.get(time) || 0]);
      const values = series.values.map(([time, value]) => [time, (sums.get(time) || 0) + value]);
      for (const [time, value] of values) sums.set(time, value);
      return {...series, below, values};
    });
  }

  valueAxis() {
    const band = this.spec.band ? [...this.spec.band.low, ...this.spec.band.high] : [];
    const values = [...this.lines.flatMap(line => line.values), ...band].map(([, value]) => value).filter(Number.isFinite);
    const low = Math.min(...values, this.spec.least ?? Infinity),
      high = Math.max(...values, this.spec.most ?? -Infinity);
    if (!values.length) return {low: 0, high: 1, ticks: [], text: () => ''};
    if (this.spec.kind === 'time') {
      const room = Math.max(30, (high - low) * 0.08);
      const {ticks, step} = scale.times(low - room, high + room, 4);
      return {low: low - room, high: high + room, ticks, text: value => scale.timeText(value, step)};
    }
    const ticks = scale.ticks(low, high, 4);
    return {low: ticks[0], high: ticks[ticks.length - 1], ticks, text: value => this.text(value)};
  }

  text(value) {
    if (this.spec.kind === 'time') return format.clock(value);
    return this.spec.kind === 'percent' ? format.percent(value, value !== 0 && Math.abs(value) < 0.1 ? 1 : 0) : format.number(value);
  }

  grid(axis) {
    const {top, right, bottom, left} = Chart.MARGIN;
    const end = this.width - right,
      floor = Chart.HEIGHT - bottom;
    for (const tick of axis.ticks) {
      this.svg.append(
        Chart.node('line', {class: 'grid', x1: left, x2: end, y1: this.y(tick), y2: this.y(tick)}),
        Chart.node('text', {x: left - 6, y: this.y(tick) + 4, 'text-anchor': 'end'}, axis.text(tick)),
      );
    }
    const {ticks, step} = scale.times(this.spec.from, this.spec.to, Math.max(2, Math.floor((end - left) / 70)));
    for (const tick of ticks) {
      // A text at the edge would be cut off.
      const half = step % 60 ? 26 : 18,
        x = Math.min(Math.max(this.x(tick), left + half), end + right - half);
      this.svg.append(
        Chart.node('line', {class: 'axis', x1: this.x(tick), x2: this.x(tick), y1: floor, y2: floor + 4}),
        Chart.node('text', {x, y: floor + 16, 'text-anchor': 'middle'}, scale.timeText(tick, step)),
      );
    }
    this.svg.append(Chart.node('line', {class: 'axis', x1: left, x2: end, y1: floor, y2: floor}));
  }

  /** Parts of a line between its gaps. */
  parts(values) {
    const parts = [];
    let last = -Infinity;
    for (const [time, value] of values) {
      if (!Number.isFinite(value)) continue;
      if (time - last > this.gap) parts.push([]);
      parts[parts.length - 1].push([time, value]);
      last = time;
    }
    return parts;
  }

  path(points) {
    return points.map(([time, value]) => `${this.x(time).toFixed(1)},${this.y(value).toFixed(1)}`).join('L');
  }

  line(series) {
    const path = this.parts(series.values)
      .map(part => `M${this.path(part.length > 1 ? part : [part[0], part[0]])}`)
      .join('');
    this.svg.append(
      Chart.node('path', {
        d: path,
        fill: 'none',
        stroke: `var(--${series.colour})`,
        'stroke-width': series.style === 'dashed' ? 1.6 : 2,
        'stroke-dasharray': series.style === 'dashed' ? '5 4' : 'none',
        'stroke-linejoin': 'round',
        'stroke-linecap': series.style === 'dashed' ? 'butt' : 'round',
        class: 'line',
        'data-name': series.name,
      }),
    );
  }

  area(low, high, colour, kind) {
    const floor = new Map(low);
    const path = this.parts(high.filter(([time]) => floor.has(time)))
      .map(part => `M${this.path(part)}L${this.path(part.map(([time]) => [time, floor.get(time)]).reverse())}Z`)
      .join('');
    this.svg.append(Chart.node('path', {d: path, fill: `var(--${colour})`, class: kind}));
  }

  /** What all lines are at the time under the pointer. */
  hover() {
    const {top, right, bottom, left} = Chart.MARGIN;
    const cross = Chart.node('line', {class: 'axis', y1: top, y2: Chart.HEIGHT - bottom, visibility: 'hidden'});
    this.svg.append(cross);
    this.svg.onpointermove = event => {
      const box = this.svg.getBoundingClientRect(),
        x = event.clientX - box.left;
      if (x < left || x > this.width - right) return this.svg.onpointerleave();
      const time = this.spec.from + ((x - left) / (this.width - left - right)) * (this.spec.to - this.spec.from);
      cross.setAttribute('x1', x);
      cross.setAttribute('x2', x);
      cross.setAttribute('visibility', 'visible');
      this.tip ||= this.element.appendChild(Object.assign(document.createElement('div'), {className: 'tip'}));
      const rows = this.spec.series
        .map(series => [series.name, Chart.at(series.values, time, this.gap)])
        .filter(([, value]) => value !== undefined);
      this.tip.replaceChildren(
        ...[format.clock(time), ...rows.map(([name, value]) => `${name}: ${this.text(value)}`)].map(text =>
          Object.assign(document.createElement('div'), {textContent: text}),
        ),
      );
      this.tip.style.top = `${this.svg.offsetTop + 8}px`;
      this.tip.style.left = x > this.width / 2 ? '' : `${x + 16}px`;
      this.tip.style.right = x > this.width / 2 ? `${this.width - x + 16}px` : '';
    };
    this.svg.onpointerleave = () => {
      cross.setAttribute('visibility', 'hidden');
      this.tip?.remove();
      this.tip = null;
    };
  }

  /** The value that is nearest to a time, if one is near. */
  static at(values, time, gap) {
    let best;
    for (const one of values) if (best === undefined || Math.abs(one[0] - time) < Math.abs(best[0] - time)) best = one;
    return best !== undefined && Math.abs(best[0] - time) <= gap ? best[1] : undefined;
  }
}
