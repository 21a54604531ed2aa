export { type ContractRunner, type StoreContractOptions, storeContract } from './store-contract.js'
