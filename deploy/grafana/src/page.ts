import * as cog from '@grafana/grafana-foundation-sdk/cog';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { dataSource } from './variables';

/** Grafana's grid. */
const kColumns = 24;

/** What all panel builders of the SDK have in common. */
export interface Placeable extends cog.Builder<dashboard.Panel> {
  gridPos(position: dashboard.GridPos): this;
}

/** The uids of the dashboards, which links and bookmarks hold on to: they never change. */
export const kUid = { fleet: 'planner-fleet', runs: 'planner-runs', health: 'planner-health' };

/**
 * A dashboard that is filled row by row, from the left to the right: panels cannot overlap.
 */
export class Page {
  private readonly builder: dashboard.DashboardBuilder;
  private x = 0;
  private y = 0;
  /** Of the panels that stand beside each other now. */
  private height = 0;

  constructor(uid: string, title: string, description: string) {
    this.builder = new dashboard.DashboardBuilder(title)
      .uid(uid)
      .description(description)
      .tags(['planner'])
      .timezone('browser')
      .tooltip(dashboard.DashboardCursorSync.Crosshair)
      .time({ from: 'now-24h', to: 'now' })
      .refresh('1m')
      .editable()
      .link(
        new dashboard.DashboardLinkBuilder('Planner')
          .type(dashboard.DashboardLinkType.Dashboards)
          .tags(['planner'])
          .includeVars(true)
          .keepTime(true),
      )
      .withVariable(dataSource());
  }

  variable(variable: cog.Builder<dashboard.VariableModel>): this {
    this.builder.withVariable(variable);
    return this;
  }

  /** A heading over what follows. */
  row(id: number, title: string): this {
    this.wrap();
    this.builder.withRow(new dashboard.RowBuilder(title).id(id).gridPos({ x: 0, y: this.y, w: kColumns, h: 1 }));
    this.y += 1;
    return this;
  }

  panel(width: number, height: number, panel: Placeable): this {
    if (width > kColumns) throw new Error(`a panel is ${width} columns wide, of ${kColumns}`);
    if (this.x + width > kColumns) this.wrap();
    this.builder.withPanel(panel.gridPos({ x: this.x, y: this.y, w: width, h: height }));
    this.x += width;
    this.height = Math.max(this.height, height);
    return this;
  }

  build(): dashboard.Dashboard {
    const built = this.builder.build();
    // The SDK's only placement hides a link in a menu; without one it stands at the top of the dashboard.
    for (const link of built.links ?? []) delete link.placement;
    return built;
  }

  private wrap(): void {
    this.x = 0;
    this.y += this.height;
    this.height = 0;
  }
}
