import { InfoMetricFamily } from '../metric-families.ts'
import type { RuntimeCollector } from './runtime-collector.ts'

/** Which Node this is: `nodejs_version_info{version="v20.20.2",major="20",minor="20",patch="2"}`. */
export const versionCollector: RuntimeCollector = {
  name: 'nodejs_version',
  scope: 'process',
  describe: () => [{ name: 'nodejs_version', type: 'info' }],
  collect() {
    const { version } = process
    const [major = '', minor = '', patch = ''] = version.slice(1).split('.')
    const family = new InfoMetricFamily({ name: 'nodejs_version', help: 'Version of Node.js.' })
    return [family.add([], { version, major, minor, patch })]
  },
}
