// The maximum of signs over K x K pixels that do not overlap, in an image of ROWS x COLS pixels: whether any is set.
module or_pool #(
    parameter int PE = 4,
    parameter int FOLDS = 1,
    parameter int ROWS = 4,
    parameter int COLS = 4,
    parameter int K = 2
) (
    input  logic          clk,
    input  logic          rst,
    input  logic [PE-1:0] in_data,
    input  logic          in_valid,
    output logic          in_ready,
    output logic [PE-1:0] out_data,
    output logic          out_valid,
    input  logic          out_ready
);
  localparam int D = COLS / K * FOLDS, DB = D > 1 ? $clog2(D) : 1;
  localparam int FB = FOLDS > 1 ? $clog2(FOLDS) : 1, KB = $clog2(K), XB = COLS / K > 1 ? $clog2(COLS / K) : 1;
  logic [FB-1:0] fold;
  logic [KB-1:0] kx, ky;
  logic [XB-1:0] x;
  logic [DB-1:0] at;
  logic go, pixel, line;
  logic [PE-1:0] kept[D];
  logic [PE-1:0] any;
  assign in_ready = !out_valid || out_ready;
  assign go = in_valid && in_ready;
  assign pixel = go && fold == FOLDS - 1;
  assign line = pixel && kx == K - 1 && x == COLS / K - 1;
  fold_counter #(.FOLDS(FOLDS)) channels (.clk, .rst, .go, .fold);
  fold_counter #(.FOLDS(K)) columns (.clk, .rst, .go(pixel), .fold(kx));
  fold_counter #(.FOLDS(COLS / K)) places (.clk, .rst, .go(pixel && kx == K - 1), .fold(x));
  fold_counter #(.FOLDS(K)) lines (.clk, .rst, .go(line), .fold(ky));
  assign at = DB'(x * FOLDS + fold);
  assign any = (kx == 0 && ky == 0 ? '0 : kept[at]) | in_data;
  always_ff @(posedge clk) begin
    if (go) kept[at] <= any;
    if (go) out_data <= any;
    if (rst) out_valid <= 0;
    else if (in_ready) out_valid <= in_valid && kx == K - 1 && ky == K - 1;
  end
endmodule
