use super::*;
use crate::stack::tests::stack;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::{
    operation::{
        copy_object::CopyObjectOutput, delete_object::DeleteObjectOutput, get_object::GetObjectOutput,
        list_objects_v2::ListObjectsV2Output, put_object::PutObjectOutput,
    },
    primitives::SdkBody,
    types::{CopyObjectResult, Object as Listed},
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

fn with<'a>(stack: &'a Stack, rules: &[&Rule]) -> Bucket<'a> {
    Bucket::with(mock_client!(aws_sdk_s3, RuleMode::MatchAny, rules), stack)
}

fn error(status: u16, code: &str) -> HttpResponse {
    let body = SdkBody::from(format!("<Error><Code>{code}</Code><Message>no</Message></Error>"));
    HttpResponse::new(status.try_into().unwrap(), body)
}

#[tokio::test]
async fn lists_go_on_to_the_last_page() {
    let page = |key: &str, token: Option<&str>| {
        let object = Listed::builder().key(key).last_modified(DateTime::from_secs(1_791_212_102)).build();
        ListObjectsV2Output::builder()
            .contents(object)
            .is_truncated(token.is_some())
            .set_next_continuation_token(token.map(str::to_owned))
            .build()
    };
    let first = mock!(Client::list_objects_v2)
        .match_requests(|request| request.prefix() == Some("parked/") && request.continuation_token().is_none())
        .then_output(move || page("parked/g/1", Some("t")));
    let second = mock!(Client::list_objects_v2)
        .match_requests(|request| request.continuation_token() == Some("t"))
        .then_output(move || page("parked/g/2", None));
    let stack = stack();
    let listed = with(&stack, &[&first, &second]).list("parked/").await.unwrap();
    let keys: Vec<_> = listed.iter().map(|stored| stored.key.as_str()).collect();
    assert_eq!(keys, ["parked/g/1", "parked/g/2"]);
    assert_eq!(listed[0].stored_at.unwrap().as_second(), 1_791_212_102);
}

#[tokio::test]
async fn only_the_buckets_own_word_means_that_there_is_nothing() {
    let stack = stack();
    let found = mock!(Client::get_object)
        .match_requests(|request| request.bucket() == Some("bucket") && request.key() == Some("parked/g/a"))
        .then_output(|| {
            GetObjectOutput::builder()
                .e_tag("tag")
                .body(ByteStream::from_static(b"x"))
                .metadata("form", "record")
                .build()
        });
    let object = with(&stack, &[&found]).fetch("parked/g/a").await.unwrap().unwrap();
    assert_eq!((object.bytes, object.metadata["form"].as_str()), (b"x".to_vec(), "record"));
    let digest = with(&stack, &[&found]).digest("parked/g/a").await.unwrap().unwrap();
    let sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    assert_eq!(digest, Digest { size_bytes: 1, sha256: sha256.to_owned() });

    let stranger = mock!(Client::get_object)
        .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"<html>")).build());
    let failure = with(&stack, &[&stranger]).fetch("parked/g/a").await.unwrap_err();
    assert!(failure.to_string().contains("parked/g/a"), "{failure}");

    let missing = mock!(Client::get_object).then_http_response(|| error(404, "NoSuchKey"));
    assert_eq!(with(&stack, &[&missing]).fetch("k").await, Ok(None));
    assert_eq!(with(&stack, &[&missing]).digest("k").await, Ok(None));
    for code in ["AccessDenied", "NoSuchBucket"] {
        let refused = mock!(Client::get_object).then_http_response(move || error(403, code));
        let failure = with(&stack, &[&refused]).fetch("k").await.unwrap_err();
        assert!(failure.what().contains(code) && failure.what().contains("the bucket bucket"), "{failure}");
    }
    let missing =
        mock!(Client::head_object).then_http_response(|| HttpResponse::new(404.try_into().unwrap(), SdkBody::empty()));
    assert_eq!(with(&stack, &[&missing]).metadata("k").await, Ok(None));
    let refused =
        mock!(Client::head_object).then_http_response(|| HttpResponse::new(403.try_into().unwrap(), SdkBody::empty()));
    assert!(with(&stack, &[&refused]).metadata("k").await.is_err());
}

#[tokio::test]
async fn an_object_is_stored_only_when_the_bucket_says_so() {
    let stack = stack();
    let stored = mock!(Client::put_object)
        .match_requests(|request| {
            request.bucket() == Some("bucket")
                && request.key() == Some("claims/g/a")
                && request.metadata().is_some_and(|all| all["form"] == "delivery")
        })
        .then_output(|| PutObjectOutput::builder().e_tag("tag").build());
    let beside = [("form", "delivery".to_owned())];
    assert_eq!(with(&stack, &[&stored]).put("claims/g/a", b"x".to_vec(), &beside).await, Ok(()));
    let nameless = mock!(Client::put_object).then_output(|| PutObjectOutput::builder().build());
    assert!(with(&stack, &[&nameless]).put("claims/g/a", b"x".to_vec(), &beside).await.is_err());

    let copied = mock!(Client::copy_object)
        .match_requests(|request| {
            request.copy_source() == Some("bucket/parked/g/a")
                && request.key() == Some("parked/g/a~run")
                && request.metadata_directive().is_none()
        })
        .then_output(|| {
            let result = CopyObjectResult::builder().e_tag("tag").build();
            CopyObjectOutput::builder().copy_object_result(result).build()
        });
    assert_eq!(with(&stack, &[&copied]).copy("parked/g/a", "parked/g/a~run").await, Ok(true));
    let nameless = mock!(Client::copy_object).then_output(|| CopyObjectOutput::builder().build());
    assert!(with(&stack, &[&nameless]).copy("parked/g/a", "parked/g/a~run").await.is_err());
    let gone = mock!(Client::copy_object).then_http_response(|| error(404, "NoSuchKey"));
    assert_eq!(with(&stack, &[&gone]).copy("parked/g/a", "parked/g/a~run").await, Ok(false));
}

#[tokio::test]
async fn an_object_is_removed_by_its_key() {
    let stack = stack();
    let removed = mock!(Client::delete_object)
        .match_requests(|request| request.bucket() == Some("bucket") && request.key() == Some("parked/g/a"))
        .then_output(|| DeleteObjectOutput::builder().build());
    assert_eq!(with(&stack, &[&removed]).remove("parked/g/a").await, Ok(()));
    let refused = mock!(Client::delete_object).then_http_response(|| error(403, "AccessDenied"));
    assert!(with(&stack, &[&refused]).remove("parked/g/a").await.is_err());
}
