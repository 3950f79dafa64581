'use strict';
/** All that is known of each run, newest first. */
function runsOf(data) {
  const {ranges, instants} = data;
  const overTime = [
    'plannedProgress',
    'actualProgress',
    'plannedFinish',
    'predictedFinish',
    'finishLow',
    'finishHigh',
    'plannedRate',
    'actualRate',
    'plannedMfu',
    'actualMfu',
  ];
  return instants.info
    .map(({metric}) => {
      const labels = {run: metric.run},
        of = name => answers.values(ranges[name], labels);
      const run = {
        id: metric.run,
        gpus: Number(metric.gpus),
        gpuType: metric.gpu_type,
        state: metric.state,
        currency: metric.currency || '',
        name: (instants.jobs.find(job => job.metric.run === metric.run) || {metric: {}}).metric.job_name || metric.run,
        drift: (instants.drift.find(drift => drift.metric.run === metric.run) || {metric: {}}).metric.drift || 'unknown',
      };
      for (const name of overTime) run[name] = of(name);
      // Before its first report a run is at no pace, rather than at 0.
      for (const name of ['actualRate', 'actualMfu', 'plannedMfu']) {
        const first = run[name].findIndex(([, value]) => value > 0);
        if (first > 0) run[name] = run[name].slice(first);
      }
      // It is one figure, of which each moment's is what the newest report leaves of it.
      const plannedMfu = median(run.plannedMfu.map(([, value]) => value));
      run.plannedMfu = run.plannedMfu.map(([time]) => [time, plannedMfu]);
      for (const name of ['plannedGpuSeconds', 'actualGpuSeconds', 'plannedCost', 'actualCost'])
        run[name] = answers.value(instants[name], labels);
      // One that had ended before has nothing to show but straight lines.
      run.isLive = run.state === 'running' || new Set(run.actualProgress.map(([, value]) => value)).size > 1;
      // What goes on after its end is no news.
      const end = answers.last(run.predictedFinish) + 2 * data.step;
      if (run.isLive && run.state !== 'running') for (const name of overTime) run[name] = run[name].filter(([time]) => time <= end);
      return run;
    })
    .sort((a, b) => (b.state === 'running') - (a.state === 'running') || (a.id < b.id ? 1 : -1));
}
function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
const driftText = drift => drift.replace('_', ' ');
