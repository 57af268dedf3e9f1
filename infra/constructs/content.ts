import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';

const PACKAGES = 'packages/';
/** The key of an object of a log begins with the id of its session. */
const OF_LOGS = 'sesn_*';
/** Bytes of files and skills. */
const BLOBS = 'blobs/*';
const ARCHIVES = `${PACKAGES}*/archive.tar.gz`;

/** The bucket for content of log entries that is too large for a DynamoDB item, and for installed packages. */
export class Content extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, props: { readonly removalPolicy: RemovalPolicy }) {
    super(scope, id);
    this.bucket = new Bucket(this, 'ContentBucket', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      lifecycleRules: [
        // After 30 days an environment builds its packages again, and gets newer ones where it named no version.
        { prefix: PACKAGES, expiration: Duration.days(30) },
        // Uploads end after an hour, and the sweep removes their parts. One that died before its row was written has none.
        { abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      removalPolicy: props.removalPolicy,
    });
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'The session log already says which entry wrote an object; an access log would be a second bucket to guard.',
    });
  }

  /** The ARNs of the objects that log entries name, of the blobs, and of the archives that sandboxes get. */
  get objects(): { readonly ofLogs: string; readonly blobs: string; readonly archives: string } {
    const arn = (keys: string): string => this.bucket.arnForObjects(keys);
    return { ofLogs: arn(OF_LOGS), blobs: arn(BLOBS), archives: arn(ARCHIVES) };
  }

  grantRead(reader: EntryFunction): void {
    this.#grant(reader, ['s3:GetObject']);
  }

  grantReadWrite(writer: EntryFunction): void {
    this.#grant(writer, ['s3:GetObject', 's3:PutObject']);
  }

  /** The API lists a session's objects by prefix, because a lost append left objects that no entry names. */
  grantRemove(writer: EntryFunction): void {
    this.#grant(writer, ['s3:DeleteObject']);
    const ofOneSession = { StringLike: { 's3:prefix': 'sesn_*/' } };
    writer.receive({}, { actions: ['s3:ListBucket'], on: [this.bucket.bucketArn], when: ofOneSession });
  }

  /** The launcher looks for archives, and signs URLs with which a build reads its order and writes an archive. */
  grantPackages(launcher: EntryFunction): void {
    const objects = this.bucket.arnForObjects(`${PACKAGES}*`);
    const ofPackages = { StringLike: { 's3:prefix': `${PACKAGES}*` } };
    launcher.receive(
      { CONTENT_BUCKET: this.bucket.bucketName },
      { actions: ['s3:GetObject', 's3:PutObject'], on: [objects] },
      { actions: ['s3:ListBucket'], on: [this.bucket.bucketArn], when: ofPackages },
    );
    acknowledgePattern(launcher.role, objects, 'Archives are named by the hash of what is in them.');
  }

  /** For giving archives to sandboxes. A function that could write them too could place code in other sandboxes. */
  grantReadArchives(reader: EntryFunction): void {
    const { archives } = this.objects;
    reader.receive({ CONTENT_BUCKET: this.bucket.bucketName }, { actions: ['s3:GetObject'], on: [archives] });
    acknowledgePattern(reader.role, archives, 'Archives are named by the hash of what is in them.');
  }

  grantReadBlobs(reader: EntryFunction): void {
    this.#grantBlobs(reader, ['s3:GetObject']);
  }

  grantReadWriteBlobs(writer: EntryFunction): void {
    this.#grantBlobs(writer, ['s3:GetObject', 's3:PutObject']);
  }

  grantRemoveBlobs(remover: EntryFunction): void {
    this.#grantBlobs(remover, ['s3:DeleteObject', 's3:AbortMultipartUpload']);
  }

  #grantBlobs(grantee: EntryFunction, actions: readonly string[]): void {
    const { blobs } = this.objects;
    grantee.receive({ CONTENT_BUCKET: this.bucket.bucketName }, { actions, on: [blobs] });
    acknowledgePattern(grantee.role, blobs, 'Blobs have random keys, which the rows of the records table name.');
  }

  #grant(grantee: EntryFunction, actions: readonly string[]): void {
    const { ofLogs } = this.objects;
    grantee.receive({ CONTENT_BUCKET: this.bucket.bucketName }, { actions, on: [ofLogs] });
    acknowledgePattern(grantee.role, ofLogs, 'Objects of a log are named when they are written, after their session.');
  }
}
