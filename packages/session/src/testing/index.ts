export { type ContractRunner, type StoreUnderTest, sessionStoreContract } from './store-contract.js'
