"""What AWS says that its services count: names, and the sets of dimensions under which the figures are there."""

from typing import NamedTuple


class Known(NamedTuple):
    """One service. `source`: where its metrics are told of."""

    source: str
    names: frozenset[str]
    dimensions: tuple[frozenset[str], ...]


def _known(source: str, names: str, *dimensions: str) -> Known:
    return Known(source, frozenset(names.split()), tuple(frozenset(one.split()) for one in dimensions))


KNOWN = {
    "acuse": (_known("src/acuse/entrypoints/lambdas/metrics.py", "Accepted Failed Finished TimeToEnd", "service"),),
    "AWS/ApiGateway": (
        _known(
            "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html",
            "4xx 5xx Count DataProcessed IntegrationLatency Latency",
            "ApiId",
            "ApiId Stage",
        ),
    ),
    "AWS/ApplicationELB": (
        _known(
            "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html",
            "ConsumedLCUs HTTPCode_ELB_5XX_Count HTTPCode_ELB_4XX_Count HTTPCode_Target_4XX_Count"
            " HTTPCode_Target_5XX_Count RequestCount TargetResponseTime",
            "LoadBalancer",
        ),
        _known(
            "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html",
            "HealthyHostCount HTTPCode_Target_4XX_Count HTTPCode_Target_5XX_Count RequestCount TargetResponseTime"
            " UnHealthyHostCount",
            "LoadBalancer TargetGroup",
        ),
    ),
    "AWS/DynamoDB": (
        _known(
            "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html",
            "ConsumedReadCapacityUnits ConsumedWriteCapacityUnits ReadThrottleEvents WriteThrottleEvents",
            "TableName",
            "TableName GlobalSecondaryIndexName",
        ),
        _known(
            "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html",
            "SuccessfulRequestLatency SystemErrors ThrottledRequests",
            "TableName Operation",
        ),
    ),
    "AWS/ECS": (
        _known(
            "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html",
            "CPUUtilization MemoryUtilization",
            "ClusterName ServiceName",
        ),
    ),
    "AWS/Lambda": (
        _known(
            "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html",
            "ConcurrentExecutions Duration Errors Invocations IteratorAge Throttles",
            "FunctionName",
        ),
    ),
    "AWS/Logs": (
        _known(
            "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html",
            "IncomingBytes IncomingLogEvents",
            "LogGroupName",
        ),
    ),
    "AWS/SQS": (
        _known(
            "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
            "ApproximateAgeOfOldestMessage ApproximateNumberOfMessagesDelayed ApproximateNumberOfMessagesNotVisible"
            " ApproximateNumberOfMessagesVisible NumberOfEmptyReceives NumberOfMessagesDeleted"
            " NumberOfMessagesReceived NumberOfMessagesSent",
            "QueueName",
        ),
    ),
}
RESOURCES = {
    "ApiId": "AWS::ApiGatewayV2::Api",
    "ClusterName": "AWS::ECS::Cluster",
    "FunctionName": "AWS::Lambda::Function",
    "LoadBalancer": "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "LogGroupName": "AWS::Logs::LogGroup",
    "QueueName": "AWS::SQS::Queue",
    "ServiceName": "AWS::ECS::Service",
    "TableName": "AWS::DynamoDB::Table",
    "TargetGroup": "AWS::ElasticLoadBalancingV2::TargetGroup",
}
"""Whose name a dimension holds."""
OPERATIONS = {
    *("BatchExecuteStatement", "BatchGetItem", "BatchWriteItem", "DeleteItem", "ExecuteStatement", "GetItem"),
    *("PutItem", "Query", "Scan", "UpdateItem"),
}
"""Values of the dimension `Operation` of DynamoDB (the page above, "Dimensions for DynamoDB metrics")."""
