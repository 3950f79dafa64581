import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { kUid } from './page';
import { kDataSource } from './variables';

/** Units that Grafana has no name of its own for. */
export const kUnit = {
  /** Never made into weeks, as Grafana's hours are. */
  gpuHours: 'suffix: GPU h',
  tokensPerSecond: 'si: tok/s',
  samplesPerSecond: 'si: samples/s',
};

/** What every panel says of itself. */
export interface About {
  /** Unique within its dashboard, and for good: links to a panel and its alerts hold on to it. */
  id: number;
  title: string;
  description: string;
  unit: string;
}

/** One query and how its series are called. */
export interface Asked {
  expr: string;
  legend: string;
}

export const ask = (expr: string, legend: string): Asked => ({ expr, legend });

function target(asked: Asked, index: number): prometheus.DataqueryBuilder {
  return new prometheus.DataqueryBuilder()
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .datasource(kDataSource)
    .expr(asked.expr)
    .legendFormat(asked.legend);
}

const rangeTargets = (asked: Asked[]): prometheus.DataqueryBuilder[] => asked.map((one, index) => target(one, index).range());
const instantTargets = (asked: Asked[]): prometheus.DataqueryBuilder[] => asked.map((one, index) => target(one, index).instant());

/** From which value on which colour. The first colour has no lower end. */
export type Steps = [string, ...[number, string][]];

export function thresholds(...[first, ...rest]: Steps): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([{ value: null, color: first }, ...rest.map(([value, color]) => ({ value, color }))]);
}

const kLastValue = (): common.ReduceDataOptionsBuilder => new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false);

/** One figure with its recent course behind it. */
export function figure(about: About, asked: Asked, steps: Steps = ['blue']): stat.PanelBuilder {
  return new stat.PanelBuilder()
    .id(about.id)
    .title(about.title)
    .description(about.description)
    .unit(about.unit)
    .datasource(kDataSource)
    .targets(rangeTargets([asked]))
    .reduceOptions(kLastValue())
    .thresholds(thresholds(...steps))
    .colorMode(common.BigValueColorMode.Value)
    .graphMode(common.BigValueGraphMode.Area);
}

/** The name of the one series that there is now. */
export function word(about: About, asked: Asked): stat.PanelBuilder {
  return new stat.PanelBuilder()
    .id(about.id)
    .title(about.title)
    .description(about.description)
    .unit(about.unit)
    .datasource(kDataSource)
    .targets(instantTargets([asked]))
    .reduceOptions(kLastValue())
    .textMode(common.BigValueTextMode.Name)
    .colorMode(common.BigValueColorMode.Background)
    .graphMode(common.BigValueGraphMode.None);
}

/** Lines over time. */
export function lines(about: About, ...asked: Asked[]): timeseries.PanelBuilder {
  return new timeseries.PanelBuilder()
    .id(about.id)
    .title(about.title)
    .description(about.description)
    .unit(about.unit)
    .datasource(kDataSource)
    .targets(rangeTargets(asked))
    .lineWidth(2)
    .fillOpacity(0)
    .showPoints(common.VisibilityMode.Never)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending));
}

/** Lines over time, one on top of the other. */
export function stack(about: About, ...asked: Asked[]): timeseries.PanelBuilder {
  return lines(about, ...asked)
    .min(0)
    .lineWidth(1)
    .fillOpacity(60)
    .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A'));
}

/** A line that says where it gets serious. */
export function limits(panel: timeseries.PanelBuilder, ...steps: Steps): timeseries.PanelBuilder {
  return panel
    .thresholds(thresholds(...steps))
    .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed));
}

/** Bars beside each other, in the order of the queries. */
export function bars(about: About, ...asked: Asked[]): bargauge.PanelBuilder {
  return new bargauge.PanelBuilder()
    .id(about.id)
    .title(about.title)
    .description(about.description)
    .unit(about.unit)
    .datasource(kDataSource)
    .targets(instantTargets(asked))
    .reduceOptions(kLastValue())
    .orientation(common.VizOrientation.Horizontal)
    .displayMode(common.BarGaugeDisplayMode.Basic)
    .min(0);
}

/** How often which duration, over time. The query gives cumulative buckets by `le`. */
export function durations(about: About, expr: string): heatmap.PanelBuilder {
  return new heatmap.PanelBuilder()
    .id(about.id)
    .title(about.title)
    .description(about.description)
    .unit(about.unit)
    .datasource(kDataSource)
    .targets([target(ask(expr, '{{le}}'), 0).range().format(prometheus.PromQueryFormat.Heatmap)])
    .calculate(false)
    .yAxis(new heatmap.YAxisConfigBuilder().unit(about.unit))
    .cellGap(1)
    .hideLegend();
}

/** A column of a table: a label of the first query, or the value of one. */
export interface Column {
  title: string;
  /** Of a label. */
  label?: string;
  /** Of a value. */
  expr?: string;
  properties?: dashboard.DynamicConfigValue[];
}

/** One row for each set of labels that the queries share. A query may add a label of its own, which then is a column too. */
export function rows(about: About, columns: Column[]): table.PanelBuilder {
  const asked = columns.filter((column) => column.expr !== undefined);
  const field = (column: Column): string => column.label ?? `Value #${String.fromCharCode('A'.charCodeAt(0) + asked.indexOf(column))}`;
  const panel = new table.PanelBuilder()
    .id(about.id)
    .title(about.title)
    .description(about.description)
    .unit(about.unit)
    .datasource(kDataSource)
    .targets(
      asked.map((column, index) =>
        target(ask(column.expr ?? '', ''), index)
          .instant()
          .format(prometheus.PromQueryFormat.Table),
      ),
    )
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        // Values without a title are there for their labels.
        excludeByName: Object.fromEntries([
          ['Time', true],
          ...columns.filter((column) => column.title === '').map((column) => [field(column), true]),
        ]),
        indexByName: Object.fromEntries(columns.map((column, index) => [field(column), index])),
        renameByName: Object.fromEntries(columns.filter((column) => column.title !== '').map((column) => [field(column), column.title])),
      },
    });
  for (const column of columns) {
    if (column.properties !== undefined) panel.overrideByName(column.title, column.properties);
  }
  return panel;
}

export const property = {
  unit: (unit: string): dashboard.DynamicConfigValue => ({ id: 'unit', value: unit }),
  decimals: (decimals: number): dashboard.DynamicConfigValue => ({ id: 'decimals', value: decimals }),
  color: (color: string): dashboard.DynamicConfigValue => ({ id: 'color', value: { mode: 'fixed', fixedColor: color } }),
  dashed: { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 8] } },
  thin: { id: 'custom.lineWidth', value: 1 },
  /** Fills the space down to another series. */
  fillDownTo: (series: string): dashboard.DynamicConfigValue[] => [
    { id: 'custom.fillBelowTo', value: series },
    { id: 'custom.fillOpacity', value: 15 },
  ],
  steps: (...steps: Steps): dashboard.DynamicConfigValue => ({ id: 'thresholds', value: thresholds(...steps).build() }),
  cell: (type: common.TableCellDisplayMode): dashboard.DynamicConfigValue => ({ id: 'custom.cellOptions', value: { type } }),
  texts: (texts: Record<string, { text: string; color: string }>): dashboard.DynamicConfigValue => ({
    id: 'mappings',
    value: [{ type: dashboard.MappingType.ValueToText, options: texts }],
  }),
  link: (title: string, url: string): dashboard.DynamicConfigValue => ({ id: 'links', value: [{ title, url }] }),
};

/** What was planned is dashed and grey wherever it stands beside what is. */
export const plannedLine = [property.dashed, property.color('gray')];

/** The dashboard Planned vs actual of one run, with the data source, clusters, GPU types and times of this one. */
export const runUrl = (run: string): string =>
  `/d/${kUid.runs}?\${ds:queryparam}&\${cluster:queryparam}&\${gpu_type:queryparam}&var-run=${run}&\${__url_time_range}`;
/** The same, of all runs on one cluster and GPU type. */
export const runsOnUrl = (cluster: string, gpuType: string): string =>
  `/d/${kUid.runs}?\${ds:queryparam}&var-cluster=${cluster}&var-gpu_type=${gpuType}&\${__url_time_range}`;
