import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { addSigningKeys, addTokens } from './account.ts'
import { addActionTypes } from './action-types.ts'
import { addAdmin } from './admin.ts'
import { addAgents } from './agents.ts'
import { addApi } from './api.ts'
import { addApprovals } from './approvals.ts'
import { addClients } from './clients.ts'
import { addDelegations } from './delegations.ts'
import { addMaintenance } from './maintenance.ts'
import { addPrincipals } from './principals.ts'
import { addRecords } from './records.ts'
import { addResources } from './resources.ts'
import { addServe } from './serve.ts'
import { addStop } from './stop.ts'
import { addTry } from './try.ts'

/** Adds every command, grouped as the help shows them. */
export function addCommands(program: Command, io: Io): void {
  program.commandsGroup('Who and where:')
  for (const add of [addPrincipals, addAgents, addResources, addActionTypes]) add(program, io)
  program.commandsGroup('What may be done:')
  for (const add of [addDelegations, addApprovals, addTry]) add(program, io)
  program.commandsGroup('What was done, and stopping it:')
  for (const add of [addRecords, addTokens, addStop]) add(program, io)
  program.commandsGroup('The server:')
  for (const add of [addServe, addAdmin, addClients, addSigningKeys, addApi, addMaintenance]) add(program, io)
}
