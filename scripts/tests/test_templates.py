"""What SAM's own translator makes of template.yaml, and what the front says."""

from __future__ import annotations

import logging
import os
import unittest
from typing import Any
from unittest import mock

from samtranslator.translator.transform import transform

import deployment
import front
import parameters
from judge import judge
from tools import ROOT


logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it remarks on its own metrics


class NoManagedPolicies:
    """No function of ours names one."""

    def load(self) -> dict[str, str]:
        return {}


def translated(**values: str) -> dict[str, Any]:
    """The resources that CloudFormation gets to see."""
    template = parameters.load(ROOT / "template.yaml")
    for name in parameters.FUNCTIONS.values():
        template["Resources"][name]["Properties"]["CodeUri"] = "s3://bucket/key"
    with mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}):
        return transform(template, {"SecretVersionId": "0" * 32} | values, NoManagedPolicies())["Resources"]


class Templates(unittest.TestCase):
    """What the scripts rely on."""

    def test_what_the_stack_policy_names_is_there(self) -> None:
        resources = translated()
        for name in deployment.PROTECTED:
            self.assertIn(name, resources)
        self.assertEqual(resources["IngestFunctionAliaslive"]["Properties"]["Name"], deployment.ALIAS)
        self.assertEqual(resources["IngestFunctionUrl"]["Type"], "AWS::Lambda::Url")

    def test_the_version_before_outlives_code_and_settings(self) -> None:
        versions = [one for one in translated().values() if one["Type"] == "AWS::Lambda::Version"]
        self.assertEqual(len(versions), 2)
        for version in versions:
            self.assertEqual((version["DeletionPolicy"], version["UpdateReplacePolicy"]), ("Retain", "Retain"))

    def test_the_table_is_not_protected_by_the_template(self) -> None:
        table = translated()["Table"]
        self.assertNotIn("DeletionProtectionEnabled", table["Properties"], "a failed first creation could not be undone")
        self.assertEqual(table["DeletionPolicy"], "RetainExceptOnCreate")

    def test_a_canary_watches_the_functions_own_alarms(self) -> None:
        for resource in translated().values():
            self.assertNotIn("CodeDeploy", resource["Type"])
            self.assertNotIn("UpdatePolicy", resource)
        resources = translated(CanaryDeployment="true")
        for function, alarms in [("Ingest", ("IngestErrorsAlarm", "IngestNotDurableAlarm")), ("Process", ("ProcessErrorsAlarm",))]:
            self.assertIn("CodeDeployLambdaAliasUpdate", resources[f"{function}FunctionAliaslive"]["UpdatePolicy"])
            group = resources[f"{function}FunctionDeploymentGroup"]["Properties"]
            self.assertIn("DEPLOYMENT_STOP_ON_ALARM", group["AutoRollbackConfiguration"]["Events"])
            self.assertTrue(group["AlarmConfiguration"]["Enabled"])
            self.assertEqual(group["AlarmConfiguration"]["Alarms"], [{"Name": {"Ref": alarm}} for alarm in alarms])
            for alarm in alarms:
                self.assertEqual(resources[alarm]["Type"], "AWS::CloudWatch::Alarm")

    def test_the_front_would_do_on_aws(self) -> None:
        self.assertEqual([str(finding) for _, finding in judge(parameters.load(front.TEMPLATE))], [])

    def test_the_front_passes_everything_on_and_caches_nothing(self) -> None:
        resources = parameters.load(front.TEMPLATE)["Resources"]
        self.assertEqual(list(resources), ["Distribution"], "nothing that signs requests, which senders of POST could not answer")
        config = resources["Distribution"]["Properties"]["DistributionConfig"]
        behaviour, (origin,) = config["DefaultCacheBehavior"], config["Origins"]
        # Ids of managed policies, from CloudFront's Developer Guide.
        self.assertEqual(behaviour["CachePolicyId"], "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled")
        self.assertEqual(behaviour["OriginRequestPolicyId"], "b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader")
        self.assertLessEqual({"POST", "PUT"}, set(behaviour["AllowedMethods"]))
        self.assertEqual(behaviour["ViewerProtocolPolicy"], "https-only")
        self.assertEqual(origin["CustomOriginConfig"]["OriginProtocolPolicy"], "https-only")
        self.assertNotIn("OriginAccessControlId", origin)
        self.assertEqual(resources["Distribution"]["DeletionPolicy"], "RetainExceptOnCreate")
