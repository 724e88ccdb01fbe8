/** The cluster of the tests of the chunk server. */
export const TEST_CLUSTER = "11111111-2222-4333-8444-555555555555";
