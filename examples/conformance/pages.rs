//! The pages of AWS's documentation that the checks hold the engines to.

/// A page's title, and the end of its address.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    pub(crate) title: &'static str,
    path: &'static str,
}

impl Page {
    const fn new(title: &'static str, path: &'static str) -> Self {
        Self { title, path }
    }

    pub(crate) fn address(self) -> String {
        format!("https://docs.aws.amazon.com/amazondynamodb/latest/{}", self.path)
    }
}

pub(crate) const ALIASES: Page =
    Page::new("Expression attribute names (aliases)", "developerguide/Expressions.ExpressionAttributeNames.html");
pub(crate) const BATCH_GET: Page = Page::new("API: BatchGetItem", "APIReference/API_BatchGetItem.html");
pub(crate) const CANCELLATION: Page = Page::new("API: CancellationReason", "APIReference/API_CancellationReason.html");
pub(crate) const CONDITIONS: Page =
    Page::new("Condition expression example", "developerguide/Expressions.ConditionExpressions.html");
pub(crate) const CONSTRAINTS: Page = Page::new("Constraints in Amazon DynamoDB", "developerguide/Constraints.html");
pub(crate) const CONSISTENCY: Page =
    Page::new("DynamoDB read consistency", "developerguide/HowItWorks.ReadConsistency.html");
pub(crate) const DELETE_ITEM: Page = Page::new("API: DeleteItem", "APIReference/API_DeleteItem.html");
pub(crate) const FILTERS: Page =
    Page::new("Filter expressions for the Query operation", "developerguide/Query.FilterExpression.html");
pub(crate) const GET_ITEM: Page = Page::new("API: GetItem", "APIReference/API_GetItem.html");
pub(crate) const KEY_CONDITIONS: Page =
    Page::new("Key condition expressions for the Query operation", "developerguide/Query.KeyConditionExpressions.html");
pub(crate) const OPERATORS: Page = Page::new(
    "Condition and filter expressions, operators, and functions",
    "developerguide/Expressions.OperatorsAndFunctions.html",
);
pub(crate) const PAGINATION: Page = Page::new("Paginating table query results", "developerguide/Query.Pagination.html");
pub(crate) const PROJECTIONS: Page =
    Page::new("Using projection expressions", "developerguide/Expressions.ProjectionExpressions.html");
pub(crate) const PUT_ITEM: Page = Page::new("API: PutItem", "APIReference/API_PutItem.html");
pub(crate) const QUERY: Page = Page::new("API: Query", "APIReference/API_Query.html");
pub(crate) const RESERVED: Page = Page::new("Reserved words in DynamoDB", "developerguide/ReservedWords.html");
pub(crate) const SIZES: Page =
    Page::new("DynamoDB item sizes and formats", "developerguide/CapacityUnitCalculations.html");
pub(crate) const TRANSACT: Page = Page::new("API: TransactWriteItems", "APIReference/API_TransactWriteItems.html");
pub(crate) const TRANSACTIONS: Page =
    Page::new("Amazon DynamoDB Transactions: How it works", "developerguide/transaction-apis.html");
pub(crate) const TTL: Page = Page::new("API: UpdateTimeToLive", "APIReference/API_UpdateTimeToLive.html");
pub(crate) const TYPES: Page =
    Page::new("Supported data types and naming rules", "developerguide/HowItWorks.NamingRulesDataTypes.html");
pub(crate) const UPDATES: Page =
    Page::new("Using update expressions", "developerguide/Expressions.UpdateExpressions.html");
pub(crate) const UPDATE_ITEM: Page = Page::new("API: UpdateItem", "APIReference/API_UpdateItem.html");
pub(crate) const VALUES: Page =
    Page::new("Using expression attribute values", "developerguide/Expressions.ExpressionAttributeValues.html");
