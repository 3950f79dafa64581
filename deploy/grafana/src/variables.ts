import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { variableQueries } from './queries';

/** Every panel and variable asks the data source that is selected at the top of the dashboard. */
export const kDataSource = { type: 'prometheus', uid: '${ds}' };

export const dataSource = (): dashboard.DatasourceVariableBuilder =>
  new dashboard.DatasourceVariableBuilder('ds').label('Data source').type('prometheus');

function labels(name: string, label: string, query: string): dashboard.QueryVariableBuilder {
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .query(query)
    .definition(query)
    .datasource(kDataSource)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.NaturalAsc);
}

/**
 * `.*` is short however many values there are, and also matches what has none: a run that was planned on a GPU type alone has no
 * cluster.
 */
function severalLabels(name: string, label: string, query: string): dashboard.QueryVariableBuilder {
  return labels(name, label, query).multi(true).includeAll(true).allValue('.*').current({ selected: true, text: 'All', value: '$__all' });
}

export const cluster = (): dashboard.QueryVariableBuilder => severalLabels('cluster', 'Cluster', variableQueries.cluster);
export const gpuType = (): dashboard.QueryVariableBuilder => severalLabels('gpu_type', 'GPU type', variableQueries.gpuType);
export const instance = (): dashboard.QueryVariableBuilder => severalLabels('instance', 'Instance', variableQueries.instance);
/** One at a time, the newest first: ids begin with the date. */
export const run = (): dashboard.QueryVariableBuilder =>
  labels('run', 'Run', variableQueries.run).sort(dashboard.VariableSort.AlphabeticalDesc);
