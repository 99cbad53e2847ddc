"""Creates the table of the README's examples once LocalStack is up, with Docker and without.

LocalStack runs what lies in ready.d inside its own process.
"""

from localstack.aws.connect import connect_to

dynamodb = connect_to(region_name="us-east-1").dynamodb

if "accounts" not in dynamodb.list_tables()["TableNames"]:
    dynamodb.create_table(
        TableName="accounts",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

print("ready.d: the table accounts is there")
