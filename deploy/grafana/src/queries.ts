/**
 * Everything that the dashboards know of Prometheus: names of metrics and labels, and the PromQL made of them.
 * deploy/prometheus/README.md says what each metric means.
 *
 * Several plannerds may share one store and then export the same fleet and the same runs: `once` makes one series of them.
 * What belongs to a process (calls, latencies) is added up instead.
 */

const kFleet = 'cluster=~"$cluster",gpu_type=~"$gpu_type"';
const kRun = 'run="$run"';
const kInstance = 'instance=~"$instance"';
/** As wide as Grafana finds fit for the resolution, never narrower than four scrapes. */
const kWindow = '[$__rate_interval]';

/** What all plannerds of one store say alike, as one series for each set of labels. */
function once(metric: string, labels: string, matchers: string): string {
  return `max by (${labels}) (${metric}${matchers === '' ? '' : `{${matchers}}`})`;
}

/** Of the clusters and GPU types that are selected. */
function fleet(metric: string, labels = 'cluster, gpu_type', matchers = ''): string {
  return once(metric, labels, matchers === '' ? kFleet : `${kFleet},${matchers}`);
}

/** Information of the runs that run, on the clusters and GPU types that are selected. */
const kRunning = `planner_run_info{${kFleet},state="running"}`;

/** Of every run on the clusters and GPU types that are selected. */
function everyRun(metric: string, labels = 'run'): string {
  return `${once(metric, labels, '')} and on (run) planner_run_info{${kFleet}}`;
}

/** Of the run that is selected. */
function oneRun(metric: string, labels = 'run'): string {
  return once(metric, labels, kRun);
}

function rate(metric: string, matchers = ''): string {
  return `rate(${metric}{${kInstance}${matchers === '' ? '' : `,${matchers}`}}${kWindow})`;
}

function quantile(q: number, metric: string, label: string): string {
  return `histogram_quantile(${q}, sum by (${label}, le) (${rate(`${metric}_bucket`)}))`;
}

const kGpus = 'planner_cluster_gpus';
/** The state total is the sum of the others: whoever adds up states leaves it out. */
const kTotal = fleet(kGpus, 'cluster, gpu_type', 'state="total"');
const kUtilization = fleet('planner_cluster_utilization_ratio');
const kOccupied = fleet('planner_cluster_occupied_gpus');

/** Mean over cards of a mean over the cards of each cluster and type. */
function meanOverCards(ratio: string, by = ''): string {
  return `sum${by} (${ratio} * on (cluster, gpu_type) ${kTotal}) / sum${by} (${kTotal} and on (cluster, gpu_type) ${ratio})`;
}

/** The closed set of planner_cluster_booked_gpus' label horizon, as far as it is shown. */
export type Horizon = '1h' | '1d' | '7d' | '30d';

const booked = (horizon: Horizon): string => fleet('planner_cluster_booked_gpus', 'cluster, gpu_type', `horizon="${horizon}"`);

export const fleetQueries = {
  gpus: `sum (${kTotal})`,
  gpusIn: (state: string): string => `sum (${fleet(kGpus, 'cluster, gpu_type, state', `state=~"${state}"`)})`,
  gpusByState: `sum by (state) (${fleet(kGpus, 'cluster, gpu_type, state', 'state!="total"')})`,
  utilization: meanOverCards(kUtilization),
  utilizationByType: meanOverCards(kUtilization, ' by (cluster, gpu_type)'),
  tensorActiveByType: meanOverCards(fleet('planner_cluster_tensor_active_ratio'), ' by (cluster, gpu_type)'),
  occupiedByType: kOccupied,
  /** Cards that the inventory or the calendar says are taken, of the types of which cards are measured. */
  takenByType: `sum by (cluster, gpu_type) (${fleet(kGpus, 'cluster, gpu_type, state', 'state=~"booked|used"')}) and on (cluster, gpu_type) ${kOccupied}`,
  sampleAge: `time() - ${fleet('planner_cluster_utilization_timestamp_seconds')}`,
  bookedRatio: (horizon: Horizon): string => `sum (${booked(horizon)}) / sum (${kTotal})`,
  bookedByType: (horizon: Horizon): string => booked(horizon),
  runsByType: `count by (cluster, gpu_type) (${fleet('planner_run_info', 'run, cluster, gpu_type', 'state="running"')})`,
  /** One row for each cluster and GPU type. */
  table: {
    total: kTotal,
    inState: (state: string): string => `sum by (cluster, gpu_type) (${fleet(kGpus, 'cluster, gpu_type, state', `state=~"${state}"`)})`,
    utilization: kUtilization,
    booked: (horizon: Horizon): string => `${booked(horizon)} / on (cluster, gpu_type) ${kTotal}`,
  },
};

/** Straight from dcgm-exporter: a second opinion on what plannerd has been told. deploy/prometheus gives its targets the label cluster. */
export const exporterQueries = {
  tensorActive: 'avg by (cluster, modelName) (DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{cluster=~"$cluster"})',
  power: 'sum by (cluster, modelName) (DCGM_FI_DEV_POWER_USAGE{cluster=~"$cluster"})',
  /** DCGM counts in MiB. */
  memoryUsed: 'sum by (cluster, modelName) (DCGM_FI_DEV_FB_USED{cluster=~"$cluster"}) * 1048576',
};

/** Seconds between two finish times; later is positive. */
const delay = (planned: string, predicted: string): string => `${predicted} - ${planned}`;
const kSecondsPerHour = 3600;
/** Grafana's times are in milliseconds. */
const kMilliseconds = 1000;
const milliseconds = (query: string): string => `${kMilliseconds} * ${query}`;
const gpuHours = (query: string): string => `${query} / ${kSecondsPerHour}`;
const withCurrency = (query: string): string =>
  `${query} * on (run) group_left (currency) ${once('planner_run_info', 'run, currency', kRun)}`;

const kPlannedFinish = 'planner_run_planned_finish_timestamp_seconds';
const kPredictedFinish = 'planner_run_predicted_finish_timestamp_seconds';

export const runsQueries = {
  running: `count (max by (run) (${kRunning})) or vector(0)`,
  inDrift: (drift: string): string =>
    `count (${once('planner_run_drift', 'run', `drift="${drift}"`)} == 1 and on (run) ${kRunning}) or vector(0)`,
  gpuHoursUsed: `sum (${everyRun('planner_run_actual_gpu_seconds')}) / ${kSecondsPerHour}`,
  /** How far the runs are over how far they were to be; 1 is as planned. */
  progressOfPlan: `sum (${everyRun('planner_run_actual_progress_ratio')}) / sum (${everyRun('planner_run_planned_progress_ratio')})`,
  /** One row for each run. */
  table: {
    info: once('planner_run_info', 'run, cluster, gpu_type, gpus, state', kFleet),
    drift: `${once('planner_run_drift', 'run, drift', '')} == 1 and on (run) planner_run_info{${kFleet}}`,
    plannedProgress: everyRun('planner_run_planned_progress_ratio'),
    actualProgress: everyRun('planner_run_actual_progress_ratio'),
    predictedFinish: milliseconds(`(${everyRun(kPredictedFinish)})`),
    delay: `(${delay(once(kPlannedFinish, 'run', ''), once(kPredictedFinish, 'run', ''))}) and on (run) planner_run_info{${kFleet}}`,
    plannedGpuHours: gpuHours(`(${everyRun('planner_run_planned_gpu_seconds')})`),
    actualGpuHours: gpuHours(`(${everyRun('planner_run_actual_gpu_seconds')})`),
    modelFlopsUtilization: everyRun('planner_run_model_flops_utilization_ratio'),
  },
};

const kPlannedRate = oneRun('planner_run_planned_tokens_per_second');
const kActualRate = oneRun('planner_run_actual_tokens_per_second');
const kModelFlopsUtilization = oneRun('planner_run_model_flops_utilization_ratio');

export const runQueries = {
  drift: `${oneRun('planner_run_drift', 'drift')} == 1`,
  progress: { planned: oneRun('planner_run_planned_progress_ratio'), actual: oneRun('planner_run_actual_progress_ratio') },
  tokensPerSecond: { planned: kPlannedRate, actual: kActualRate },
  rateOfPlan: `${kActualRate} / ${kPlannedRate}`,
  delay: delay(oneRun(kPlannedFinish), oneRun(kPredictedFinish)),
  finish: {
    planned: milliseconds(oneRun(kPlannedFinish)),
    predicted: milliseconds(oneRun(kPredictedFinish)),
    low: milliseconds(oneRun('planner_run_predicted_finish_low_timestamp_seconds')),
    high: milliseconds(oneRun('planner_run_predicted_finish_high_timestamp_seconds')),
  },
  /** The model FLOPs of a token are the same in both, so the planned utilization follows from the two rates. */
  modelFlopsUtilization: { planned: `${kModelFlopsUtilization} * ${kPlannedRate} / ${kActualRate}`, actual: kModelFlopsUtilization },
  gpuHours: {
    planned: gpuHours(oneRun('planner_run_planned_gpu_seconds')),
    actual: gpuHours(oneRun('planner_run_actual_gpu_seconds')),
  },
  cost: { planned: withCurrency(oneRun('planner_run_planned_cost')), actual: withCurrency(oneRun('planner_run_actual_cost')) },
};

const kRequests = 'planner_rpc_requests_total';
/** Codes that say that the planner failed, not the caller. */
const kFaults = 'code=~"INTERNAL|UNKNOWN|DATA_LOSS|UNAVAILABLE|UNIMPLEMENTED"';
const kRefusals = 'code="RESOURCE_EXHAUSTED"';

/** The part of all calls that ended with such a code; 0 where none did. */
function partOfCalls(matchers: string): string {
  return `(sum (${rate(kRequests, matchers)}) or vector(0)) / sum (${rate(kRequests)})`;
}

export const healthQueries = {
  up: `sum (up{job="plannerd",${kInstance}})`,
  versions: `count by (version) (planner_build_info{${kInstance}})`,
  firing: 'count (ALERTS{alertname=~"Planner.+",alertstate="firing"}) or vector(0)',
  callsByMethod: `sum by (method) (${rate(kRequests)})`,
  callsByCode: `sum by (code) (${rate(kRequests)})`,
  faults: partOfCalls(kFaults),
  refusals: partOfCalls(kRefusals),
  latency: (q: number): string => quantile(q, 'planner_rpc_duration_seconds', 'method'),
  latencyBuckets: `sum by (le) (increase(planner_rpc_duration_seconds_bucket{${kInstance}}${kWindow}))`,
  activeCalls: `sum by (instance) (planner_rpc_active_calls{${kInstance}})`,
  activeCallsLimit: `sum by (instance) (planner_rpc_active_calls_limit{${kInstance}})`,
  storeLatency: quantile(0.99, 'planner_store_duration_seconds', 'operation'),
  storeErrors: `sum by (operation) (${rate('planner_store_errors_total')})`,
  pluginsUp: `min by (counter) (planner_plugin_up{${kInstance}})`,
  pluginRestarts: `sum by (counter) (increase(planner_plugin_restarts_total{${kInstance}}${kWindow}))`,
  countLatency: quantile(0.99, 'planner_count_duration_seconds', 'counter'),
  predictionError: 'max by (cluster, gpu_type) (planner_prediction_error_ratio)',
  predictionRuns: 'max by (cluster, gpu_type) (planner_prediction_runs)',
  samples: `sum by (outcome) (${rate('planner_utilization_samples_total')})`,
  collections: `sum by (cluster, outcome) (${rate('planner_utilization_queries_total')})`,
};

/** What the variables can be. */
export const variableQueries = {
  cluster: 'label_values(planner_cluster_gpus, cluster)',
  gpuType: 'label_values(planner_cluster_gpus{cluster=~"$cluster"}, gpu_type)',
  run: 'label_values(planner_run_info{cluster=~"$cluster",gpu_type=~"$gpu_type"}, run)',
  instance: 'label_values(planner_build_info, instance)',
};
