export { type FamilyStoreUnderTest, familyStoreContract } from './family-contract.js'
export { type ReplayStoreUnderTest, replayStoreContract } from './replay-contract.js'
export { type RevocationStoreUnderTest, revocationStoreContract } from './revocation-contract.js'
export type { ContractRunner } from './runner.js'
