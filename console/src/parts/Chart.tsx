// Numbers over time as a line: ECharts, loaded when one is first looked at. A tooltip is text, never markup.

import { LineChart } from 'echarts/charts';
import { GridComponent, TooltipComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import type { ReactNode } from 'react';
import { useEffect, useRef } from 'react';
import { useChoices } from '../text';

echarts.use([LineChart, GridComponent, TooltipComponent, CanvasRenderer]);

export interface Point {
  time: string;
  value: number;
}

interface Props {
  label: string;
  points: Point[];
  /** The most that a value can be. */
  most: number;
}

export function Chart({ label, points, most }: Props): ReactNode {
  const { language } = useChoices();
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return;
    const chart = echarts.init(place.current, null, { locale: language === 'zh' ? 'ZH' : 'EN' });
    const style = getComputedStyle(place.current);
    chart.setOption({
      animation: false,
      textStyle: { color: style.color },
      grid: { left: 40, right: 16, top: 16, bottom: 28 },
      tooltip: { trigger: 'axis', renderMode: 'richText' },
      xAxis: { type: 'time' },
      yAxis: { type: 'value', min: 0, max: most, minInterval: 1 },
      series: [
        {
          name: label,
          type: 'line',
          step: 'end',
          showSymbol: points.length < 40,
          color: style.getPropertyValue('--td-brand-color') || '#0052d9',
          data: points.map(({ time, value }) => [time, value]),
        },
      ],
    });
    const watcher = new ResizeObserver(() => {
      chart.resize();
    });
    watcher.observe(place.current);
    return () => {
      watcher.disconnect();
      chart.dispose();
    };
  }, [label, points, most, language]);
  return <div className="chart" ref={place} role="img" aria-label={label} />;
}
