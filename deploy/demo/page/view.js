'use strict';
/** Elements of the page from what Prometheus has answered. */
const view = {
  element(name, properties = {}, ...children) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  },

  table(table, heads, rows, none) {
    const cell = (name, content, isNumber) => view.element(name, {className: isNumber ? 'number' : ''}, ...[content].flat());
    const head = ({text, below, isNumber}) => cell('th', below ? [text, view.element('br'), view.small(below)] : text, isNumber);
    table.replaceChildren(
      view.element('thead', {}, view.element('tr', {}, ...heads.map(head))),
      view.element(
        'tbody',
        {},
        ...(rows.length
          ? rows.map(row => view.element('tr', {}, ...row.map((content, i) => cell('td', content, heads[i].isNumber))))
          : [view.element('tr', {}, view.element('td', {colSpan: heads.length, className: 'none'}, none))]),
      ),
    );
  },

  small(text) {
    return view.element('small', {}, text);
  },
  badge(word, text = driftText(word)) {
    return view.element('span', {className: `badge ${word}`}, text);
  },

  tiles(data, runs) {
    const running = runs.filter(run => run.state === 'running'),
      gpus = data.instants.gpus;
    const sum = states => gpus.filter(({metric}) => states.includes(metric.state)).reduce((total, {value}) => total + Number(value[1]), 0);
    const weights = type => answers.value(gpus, {gpu_type: type, state: 'total'});
    const measured = data.ranges.utilization.map(({metric, values}) => [weights(metric.gpu_type), Number(values[values.length - 1][1])]);
    const utilization =
      measured.reduce((total, [weight, value]) => total + weight * value, 0) / measured.reduce((total, [weight]) => total + weight, 0);
    const count = drift => running.filter(run => run.drift === drift).length;
    const tiles = [
      [running.length, 'runs run'],
      [count('on_plan'), 'on plan'],
      [count('early'), 'early'],
      [count('late'), 'late'],
      [count('stalled'), 'stalled'],
      [format.number(sum(['total'])), 'GPUs'],
      [format.number(sum(['booked', 'used'])), 'GPUs booked or used'],
      [format.percent(utilization), 'utilization, 5 min'],
    ];
    document
      .getElementById('tiles')
      .replaceChildren(
        ...tiles.map(([figure, text]) =>
          view.element('div', {className: 'tile'}, view.element('b', {}, String(figure)), view.element('span', {}, text)),
        ),
      );
  },

  runs(data, runs) {
    const heads = [
      {text: 'Job'},
      {text: 'GPUs'},
      {text: 'State'},
      {text: 'Progress'},
      {text: 'Finish, UTC', below: 'planned, predicted'},
      {text: 'Delay', isNumber: true},
      {text: 'Tokens/s', below: 'planned, actual', isNumber: true},
      {text: 'MFU', below: 'planned, actual', isNumber: true},
      {text: 'GPU hours', below: 'planned, used', isNumber: true},
      {text: 'Cost', below: 'planned, so far', isNumber: true},
    ];
    const rows = runs.map(run => {
      const planned = answers.last(run.plannedProgress),
        actual = answers.last(run.actualProgress),
        finish = answers.last(run.plannedFinish);
      const predicted = answers.last(run.predictedFinish),
        low = answers.last(run.finishLow),
        high = answers.last(run.finishHigh);
      const bar = view.element(
        'div',
        {className: 'progress', title: `planned ${format.percent(planned, 1)}, done ${format.percent(actual, 1)}`},
        view.element('i', {style: `width:${Math.min(100, 100 * actual || 0)}%`}),
        view.element('u', {style: `left:${Math.min(99, 100 * planned || 0)}%`}),
      );
      const interval =
        Number.isFinite(low) && high > low ? [view.element('br'), view.small(`${format.clock(low)} to ${format.clock(high)}`)] : [];
      const pair = (first, second) => [first, view.element('br'), second];
      const isOver = run.state !== 'running';
      return [
        [view.element('b', {}, run.name), view.element('br'), view.small(run.name === run.id ? '' : run.id)],
        [`${run.gpus} ×`, view.element('br'), view.small(run.gpuType)],
        [
          view.badge(
            isOver && run.state !== 'succeeded' ? 'failed' : run.drift,
            isOver ? (run.state === 'succeeded' ? `done, ${driftText(run.drift)}` : run.state) : driftText(run.drift),
          ),
        ],
        [bar, view.small(Number.isFinite(actual) ? `${format.percent(actual)} of ${format.percent(planned)} planned` : 'nothing reported')],
        [...pair(format.moment(finish, data.taken), format.moment(predicted, data.taken)), ...interval],
        format.delay(predicted - finish),
        pair(format.number(answers.last(run.plannedRate)), format.number(answers.last(run.actualRate))),
        pair(format.percent(answers.last(run.plannedMfu), 1), format.percent(answers.last(run.actualMfu), 1)),
        pair(format.hours(run.plannedGpuSeconds), format.hours(run.actualGpuSeconds)),
        pair(format.money(run.plannedCost, run.currency), format.money(run.actualCost, run.currency)),
      ];
    });
    view.table(document.getElementById('runs'), heads, rows, 'No run yet.');
    document.getElementById('runs-hint').textContent =
      'The bar is what is done, the mark on it where the plan has the run by now. Below a predicted finish stands its 90 % interval. ' +
      'Tokens are samples where a model has no sequences.';
  },

  pictures(data, runs, from) {
    const common = {from, to: data.taken},
      charts = [];
    const pair = (planned, actual) => [
      {name: 'planned', values: planned, colour: 'planned', style: 'dashed'},
      {name: 'actual', values: actual, colour: 'actual', style: 'line'},
    ];
    const boxes = runs
      .filter(run => run.isLive)
      .map(run => {
        const finish = {
          ...common,
          title: 'Finish time (UTC)',
          kind: 'time',
          series: [
            {name: 'planned', values: run.plannedFinish, colour: 'planned', style: 'dashed'},
            {name: 'predicted', values: run.predictedFinish, colour: 'actual', style: 'line'},
          ],
        };
        if (run.finishLow.length) finish.band = {name: '90 % interval', colour: 'band', low: run.finishLow, high: run.finishHigh};
        const own = [
          {
            ...common,
            title: 'Progress (% of all steps)',
            kind: 'percent',
            least: 0,
            most: 1,
            series: pair(run.plannedProgress, run.actualProgress),
          },
          finish,
          {...common, title: 'Throughput (tokens per second)', kind: 'number', least: 0, series: pair(run.plannedRate, run.actualRate)},
          {...common, title: 'Model FLOPs utilization (% of peak)', kind: 'percent', least: 0, series: pair(run.plannedMfu, run.actualMfu)},
        ].map(spec => new Chart(spec, data.step));
        charts.push(...own);
        const drift = run.state === 'running' || run.state === 'succeeded' ? run.drift : 'failed';
        return view.element(
          'article',
          {className: 'run'},
          view.element(
            'h3',
            {},
            run.name,
            view.badge(drift, run.state === 'running' ? driftText(drift) : run.state),
            view.element('span', {}, `${run.gpus} × ${run.gpuType}`),
          ),
          view.element('div', {className: 'charts'}, ...own.map(chart => chart.element)),
        );
      });
    document
      .getElementById('pictures')
      .replaceChildren(...(boxes.length ? boxes : [view.element('p', {className: 'none'}, 'No run has moved yet.')]));
    return charts;
  },

  fleet(data, from) {
    const common = {from, to: data.taken},
      colours = ['actual', 'second', 'third', 'good'];
    const lines = (result, name) =>
      result.map(({metric, values}, i) => ({
        name: name(metric),
        values: values.map(([time, value]) => [time, Number(value)]),
        colour: colours[i % colours.length],
        style: 'line',
      }));
    const states = ['down', 'drained', 'maintenance', 'used', 'booked', 'free']
      .map(state => ({name: state, values: answers.values(data.ranges.gpusByState, {state}), colour: state, style: 'area'}))
      .filter(series => series.values.length);
    const specs = [
      {title: 'GPUs by state (cards)', kind: 'number', least: 0, series: states},
      {
        title: 'Measured utilization (% of time busy)',
        kind: 'percent',
        least: 0,
        most: 1,
        series: lines(data.ranges.utilization, metric => metric.gpu_type),
      },
      {
        title: 'Tensor cores active, by dcgm-exporter (%)',
        kind: 'percent',
        least: 0,
        series: lines(data.ranges.tensorActive, metric => metric.modelName),
      },
      {title: 'Power (watts)', kind: 'number', least: 0, series: lines(data.ranges.power, metric => metric.modelName)},
    ];
    const charts = specs.map(spec => new Chart({...common, ...spec}, data.step));
    document.getElementById('fleet').replaceChildren(...charts.map(chart => chart.element));
    return charts;
  },

  below(data) {
    const {booked, gpus, predictionError, predictionRuns, alerts, jobs} = data.instants,
      horizons = ['1h', '1d', '7d', '30d'];
    const types = [...new Set(gpus.map(({metric}) => metric.gpu_type))].sort();
    view.table(
      document.getElementById('booked'),
      [{text: 'GPU type'}, ...horizons.map(text => ({text: `next ${text}`, isNumber: true}))],
      types.map(type => [
        type,
        ...horizons.map(horizon =>
          format.percent(answers.value(booked, {gpu_type: type, horizon}) / answers.value(gpus, {gpu_type: type, state: 'total'}), 1),
        ),
      ]),
      'No cluster.',
    );
    view.table(
      document.getElementById('errors'),
      [{text: 'GPU type'}, {text: 'Median error of step time', isNumber: true}, {text: 'Runs', isNumber: true}],
      predictionError.map(({metric, value}) => [
        metric.gpu_type,
        format.percent(Number(value[1]), 1),
        format.number(answers.value(predictionRuns, {gpu_type: metric.gpu_type})),
      ]),
      'No run has ended yet.',
    );
    const about = metric =>
      (jobs.find(job => job.metric.run === metric.run) || {metric: {}}).metric.job_name ||
      metric.run ||
      metric.counter ||
      metric.gpu_type ||
      metric.instance ||
      '';
    view.table(
      document.getElementById('alerts'),
      [{text: 'Alert'}, {text: 'About'}, {text: 'State'}],
      alerts.map(({metric}) => [metric.alertname, about(metric), [view.badge(metric.alertstate, metric.alertstate)]]),
      'None pending, none firing.',
    );
  },

  /** Draws everything; charts are drawn once their places are known. */
  all(data) {
    const runs = runsOf(data),
      times = data.ranges.actualProgress.concat(data.ranges.gpusByState).flatMap(({values}) => (values.length ? [values[0][0]] : []));
    const from = Math.min(Math.max(data.from, Math.min(...times)), data.taken - 60);
    view.tiles(data, runs);
    view.runs(data, runs);
    const charts = [...view.pictures(data, runs, from), ...view.fleet(data, from)];
    view.below(data);
    charts.forEach(chart => chart.draw());
    return charts;
  },
};
