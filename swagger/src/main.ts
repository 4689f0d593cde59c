import path from 'node:path'
import { Port, loadConfig, serviceConfig } from '@shop/platform/config'
import { makeLog } from '@shop/platform/logging'
import { runService } from '@shop/platform/server'
import { swaggerApp } from './app'
import { readDocuments } from './documents'

const config = loadConfig({ ...serviceConfig, PORT: Port.default(8004) }, process.env)
const log = makeLog('swagger', config.LOG_LEVEL)
const documents = readDocuments(path.join(__dirname, '..'))

void runService({ app: swaggerApp({ documents, log }), config, log })
