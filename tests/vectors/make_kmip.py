#!/usr/bin/python3
"""Writes tests/vectors/kmip.txt: KMIP messages as an independent implementation, PyKMIP, encodes them. One line each: name, bytes."""
import warnings

warnings.simplefilter("ignore")
from kmip.core import attributes, enums, misc, objects, primitives, secrets, utils  # noqa: E402
from kmip.core.factories.attributes import AttributeFactory  # noqa: E402
from kmip.core.messages import contents, messages, payloads  # noqa: E402

O = enums.Operation
A = enums.AttributeType
FACTORY = AttributeFactory()
USE = [enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT]
GCM = attributes.CryptographicParameters(block_cipher_mode=enums.BlockCipherMode.GCM,
                                         cryptographic_algorithm=enums.CryptographicAlgorithm.AES, tag_length=16)


def attribute(kind, value):
    return FACTORY.create_attribute(kind, value)


def name(text):
    return attribute(A.NAME, attributes.Name.create(text, enums.NameType.UNINTERPRETED_TEXT_STRING))


def key_attributes(text):
    return objects.TemplateAttribute(attributes=[
        attribute(A.CRYPTOGRAPHIC_ALGORITHM, enums.CryptographicAlgorithm.AES), attribute(A.CRYPTOGRAPHIC_LENGTH, 256),
        attribute(A.CRYPTOGRAPHIC_USAGE_MASK, USE), name(text)])


def key():
    return secrets.SymmetricKey(objects.KeyBlock(
        key_format_type=misc.KeyFormatType(enums.KeyFormatType.RAW), key_compression_type=None,
        key_value=objects.KeyValue(objects.KeyMaterial(bytes(range(32)))),
        cryptographic_algorithm=attributes.CryptographicAlgorithm(enums.CryptographicAlgorithm.AES),
        cryptographic_length=attributes.CryptographicLength(256), key_wrapping_data=None))


def write(message, version):
    out = utils.BytearrayStream()
    message.write(out, getattr(enums.KMIPVersion, "KMIP_%d_%d" % version))
    return bytes(out.buffer).hex()


def request(label, version, op, payload):
    header = messages.RequestHeader(protocol_version=contents.ProtocolVersion(*version),
                                    maximum_response_size=contents.MaximumResponseSize(32768), batch_count=contents.BatchCount(1))
    item = messages.RequestBatchItem(operation=primitives.Enumeration(O, op, tag=enums.Tags.OPERATION), request_payload=payload)
    print(label, write(messages.RequestMessage(request_header=header, batch_items=[item]), version))


def answer(label, version, op, payload, status=enums.ResultStatus.SUCCESS, reason=None, text=None):
    header = messages.ResponseHeader(protocol_version=contents.ProtocolVersion(*version),
                                     time_stamp=contents.TimeStamp(1700000000), batch_count=contents.BatchCount(1))
    item = messages.ResponseBatchItem(
        operation=contents.Operation(op), result_status=contents.ResultStatus(status),
        result_reason=reason and contents.ResultReason(reason), result_message=text and contents.ResultMessage(text),
        response_payload=payload)
    print(label, write(messages.ResponseMessage(response_header=header, batch_items=[item]), version))


print("# Messages of KMIP as PyKMIP 0.10 encodes them: made by tests/vectors/make_kmip.py, held against ours by "
      "tests/unit/test_kmip.c.")
for v in ((1, 2), (2, 0)):
    request("create_%d_%d" % v, v, O.CREATE,
            payloads.CreateRequestPayload(enums.ObjectType.SYMMETRIC_KEY, key_attributes("keyward-root")))
    request("locate_%d_%d" % v, v, O.LOCATE, payloads.LocateRequestPayload(
        maximum_items=16, attributes=[attribute(A.OBJECT_TYPE, enums.ObjectType.SYMMETRIC_KEY), name("keyward-root")]))
request("encrypt", (1, 4), O.ENCRYPT, payloads.EncryptRequestPayload("7", GCM, b"hello", bytes(range(12)), b"aad"))
request("decrypt", (2, 0), O.DECRYPT, payloads.DecryptRequestPayload("7", GCM, b"hello", bytes(range(12)), b"aad", bytes(16)))
request("get", (1, 2), O.GET, payloads.GetRequestPayload("7"))
request("activate", (1, 3), O.ACTIVATE, payloads.ActivateRequestPayload(attributes.UniqueIdentifier("7")))
request("revoke", (1, 4), O.REVOKE, payloads.RevokeRequestPayload(
    attributes.UniqueIdentifier("7"), objects.RevocationReason(enums.RevocationReasonCode.CESSATION_OF_OPERATION)))
request("query", (2, 0), O.QUERY, payloads.QueryRequestPayload(
    [enums.QueryFunction.QUERY_OPERATIONS, enums.QueryFunction.QUERY_SERVER_INFORMATION]))
request("discover", (1, 2), O.DISCOVER_VERSIONS, payloads.DiscoverVersionsRequestPayload(
    [contents.ProtocolVersion(*v) for v in ((2, 1), (2, 0), (1, 4), (1, 3), (1, 2))]))
answer("answer_get", (1, 4), O.GET, payloads.GetResponsePayload(enums.ObjectType.SYMMETRIC_KEY, "7", key()))
answer("answer_refused", (2, 0), O.GET, None, enums.ResultStatus.OPERATION_FAILED, enums.ResultReason.ITEM_NOT_FOUND,
       "Could not locate object: 7")
answer("answer_encrypt", (1, 4), O.ENCRYPT, payloads.EncryptResponsePayload("7", b"olleh", None, bytes(range(16))))
answer("answer_query", (1, 4), O.QUERY, payloads.QueryResponsePayload([O.CREATE, O.GET, O.ENCRYPT, O.DECRYPT], [], "PyKMIP"))
answer("answer_discover", (1, 2), O.DISCOVER_VERSIONS, payloads.DiscoverVersionsResponsePayload(
    [contents.ProtocolVersion(*v) for v in ((1, 0), (1, 4), (1, 2))]))
answer("answer_locate", (1, 4), O.LOCATE, payloads.LocateResponsePayload(unique_identifiers=["7", "12"]))
