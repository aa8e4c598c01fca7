// k6: requests at a constant rate, whether or not the server keeps up (open loop). Environment: URL, BODIES, RATE, SECONDS, VUS, OUT.
import http from 'k6/http';
import {Counter, Trend} from 'k6/metrics';

const bodies = open(__ENV.BODIES).trim().split('\n');
const accepted = new Trend('accepted', true);
const good = new Counter('good'), busy = new Counter('busy'), other = new Counter('other');

export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ['p(50)', 'p(99)', 'max'],
  scenarios: {
    load: {
      executor: 'constant-arrival-rate', rate: Number(__ENV.RATE), timeUnit: '1s', duration: `${__ENV.SECONDS}s`,
      preAllocatedVUs: Number(__ENV.VUS), maxVUs: Number(__ENV.VUS), gracefulStop: '30s',
    },
  },
};

const parameters = {headers: {'Content-Type': 'application/json'}, timeout: '30s'};
let at = -1;

export default function () {
  if (at < 0) at = (__VU * 37) % bodies.length;
  at = (at + 1) % bodies.length;
  const answer = http.post(__ENV.URL, bodies[at], parameters);
  if (answer.status === 200) {
    good.add(1);
    accepted.add(answer.timings.duration);
  } else if (answer.status === 429) {
    busy.add(1);
  } else {
    other.add(1);
  }
}

export function handleSummary(data) {
  const value = (name, key) => (data.metrics[name] ? data.metrics[name].values[key] : 0);
  const made = {
    good: value('good', 'count'), busy: value('busy', 'count'), other: value('other', 'count'),
    dropped: value('dropped_iterations', 'count'), p50: value('accepted', 'p(50)'), p99: value('accepted', 'p(99)'),
  };
  return {[__ENV.OUT]: JSON.stringify(made)};
}
